//! Which build this is.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};

use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::query::{Nothing, Query};

/// The version of this binary.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that it was built from, `unknown` outside of a repository.
pub const COMMIT: &str = env!("STEPWELL_COMMIT");

/// Which build this is.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Version"))]
pub struct Version {
    /// The version of the binary.
    version: &'static str,
    /// The commit that it was built from, or `unknown`.
    commit: &'static str,
    /// Where it runs, as its operator named it.
    environment: String,
}

impl Example for Version {
    fn example() -> Value {
        json!({"version": "0.1.0", "commit": "3ba8ffc1d2e4", "environment": "production"})
    }
}

/// Says which build this is.
#[endpoint(operation_id = "version")]
pub async fn version(app: App, _query: Query<Nothing>) -> Result<Found<Version>> {
    Ok(Found(Version {
        version: VERSION,
        commit: COMMIT,
        environment: app.options.environment.clone(),
    }))
}
