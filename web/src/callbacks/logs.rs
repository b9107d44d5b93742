//! POST `/api/v1/callbacks/{token}/logs`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{LogLineInput, Receipt, read_lines, refused};
use crate::App;
use crate::answer::{Found, Result};
use crate::body::Body;
use crate::example::Example;
use crate::path;
use crate::problem::{Faults, Problem};
use crate::query::{Nothing, Query};

/// Lines for the log of a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "LogsInput"))]
pub struct LogsInput {
    /// Up to 1,000, in order.
    lines: Vec<LogLineInput>,
}

impl Example for LogsInput {
    fn example() -> Value {
        json!({"lines": [{"level": "info", "message": "scored 12 documents"}]})
    }
}

/// Writes lines into the log of a run, while the attempt goes on.
///
/// The token is that of `callback_url`, or of a leased item of external work.
#[endpoint(
    operation_id = "log_callback",
    responses(
        (status_code = 404, description = "The token is none.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The attempt is over.", body = Problem, content_type = "application/problem+json"),
        (status_code = 410, description = "The step's timeout is over.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn log_callback(
    app: App,
    token: path::Token,
    _query: Query<Nothing>,
    body: Body<LogsInput>,
) -> Result<Found<Receipt>> {
    let mut faults = Faults::new();
    let lines = read_lines(body.0.lines, "/lines", &mut faults);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let delivered = app.store.log_by_token(&token.0, lines).await?;
    refused(delivered).map_or(Ok(Found(Receipt::ACCEPTED)), Err)
}
