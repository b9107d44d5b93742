//! One change of a workflow at a time.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// Waits until nobody else changes the workflow, and keeps others waiting until the transaction
/// ends. A statement of its own: one that joined the latest version and waited for the lock would
/// look for the new latest version in the snapshot from before, and find no workflow.
pub(super) async fn lock(connection: &mut PgConnection, id: Uuid) -> Result<(), Error> {
    sqlx::query!("select from stepwell.workflow where id = $1 for update", id)
        .execute(connection)
        .await?;
    Ok(())
}
