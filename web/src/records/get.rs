//! GET `/api/v1/records/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::unknown;
use super::wire::Record;
use crate::App;
use crate::answer::{Found, Result};
use crate::path::Id;
use crate::query::{Nothing, Query};

/// Returns a record.
#[endpoint(operation_id = "get_record")]
pub async fn get_record(app: App, id: Id, _query: Query<Nothing>) -> Result<Found<Record>> {
    let record = app.store.record(id.0).await?;
    let record = record.ok_or_else(|| unknown(id))?;
    Ok(Found(record.into()))
}
