//! DELETE `/api/v1/keys/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::key::Changed;

use crate::App;
use crate::actor::Caller;
use crate::answer::{Gone, Result};
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Revokes a key: it is refused from now on, by every process.
///
/// It is kept for the record, and its name is free again. One that is revoked already stays as it is.
#[endpoint(operation_id = "revoke_key")]
pub async fn revoke_key(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
) -> Result<Gone> {
    match app.store.revoke_key(&id.0, &caller.0).await? {
        Changed::Done(_) => Ok(Gone),
        Changed::NotFound => Err(Problem::not_found("key", &id.0)),
        other => Err(Problem::internal(format!(
            "revoking a key came to {other:?}"
        ))),
    }
}
