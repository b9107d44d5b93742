//! POST `/api/v1/external/{token}/heartbeat`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lease;
use crate::App;
use crate::answer::{Found, Result};
use crate::body::MaybeBody;
use crate::callbacks::refused;
use crate::example::Example;
use crate::moment::Moment;
use crate::path;
use crate::problem::{Faults, Problem};
use crate::query::{Nothing, Query};

/// For how long.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "HeartbeatInput"))]
pub struct HeartbeatInput {
    /// Milliseconds from now, 1,000–3,600,000; 60,000 when absent.
    #[serde(default)]
    #[salvo(schema(minimum = 1000, maximum = 3600000))]
    lease_ms: Option<u64>,
}

impl Example for HeartbeatInput {
    fn example() -> Value {
        json!({"lease_ms": 120_000})
    }
}

/// Until when the work is leased now.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Lease"))]
pub struct Lease {
    lease_until: Moment,
}

impl Example for Lease {
    fn example() -> Value {
        json!({"lease_until": "2026-03-01T12:03:02.031Z"})
    }
}

/// Holds leased work for longer.
#[endpoint(
    operation_id = "hold_external",
    responses(
        (status_code = 404, description = "The token is none.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The attempt is over, or somebody else has the lease.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn hold_external(
    app: App,
    token: path::Token,
    _query: Query<Nothing>,
    body: MaybeBody<HeartbeatInput>,
) -> Result<Found<Lease>> {
    let mut faults = Faults::new();
    let lease = lease::read(body.0.lease_ms, &mut faults);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    match app.store.hold_external(&token.0, lease).await? {
        Ok(until) => Ok(Found(Lease {
            lease_until: until.into(),
        })),
        Err(why) => {
            Err(refused(why)
                .unwrap_or_else(|| Problem::internal("a lease was neither held nor lost")))
        }
    }
}
