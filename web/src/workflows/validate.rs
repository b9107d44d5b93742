//! POST `/api/v1/workflows/validate`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_workflow::told::Told;

use super::check::{self, Purpose};
use super::wire::Document;
use crate::App;
use crate::answer::{Found, Result};
use crate::body::Body;
use crate::example::Example;
use crate::query::{Nothing, Query};

/// What a definition is like.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Validation"))]
pub struct Validation {
    /// Whether it can be stored as it is.
    valid: bool,
    /// Everything that is wrong, up to 100 things.
    errors: Vec<ValidationError>,
    /// Whether more is wrong than `errors` lists.
    more: bool,
}

/// One thing that is wrong, and where.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ValidationError"))]
pub struct ValidationError {
    /// RFC 6901 pointer into the body.
    pointer: String,
    /// What is wrong and what to do.
    detail: String,
}

impl Example for Validation {
    fn example() -> Value {
        json!({"valid": false, "errors": [
            {"pointer": "/steps/0/config/agent", "detail": "there is no agent \"billing\"; register it first"},
        ], "more": false})
    }
}

/// Checks a definition as creating it would, and stores nothing.
///
/// Whether its slug is taken is not looked at: the definition may be meant to replace a workflow.
#[endpoint(operation_id = "validate_workflow")]
pub async fn validate_workflow(
    app: App,
    _query: Query<Nothing>,
    body: Body<Document>,
) -> Result<Found<Validation>> {
    let errors = match check::findings(&app.store, &body.0.0, Purpose::Create).await? {
        Ok(_) => Told::new(),
        Err(findings) => findings,
    };
    let more = errors.is_over();
    let errors: Vec<_> = errors
        .into_iter()
        .map(|finding| ValidationError {
            pointer: finding.pointer,
            detail: finding.detail,
        })
        .collect();
    Ok(Found(Validation {
        valid: errors.is_empty(),
        errors,
        more,
    }))
}
