//! Which workflows use an agent: the latest versions of the active ones, wherever a step may stand.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// Slugs named in an answer: enough to act on.
const NAMED_MAX: i64 = 20;

/// Returns the slugs of the active workflows whose latest version names the agent.
pub(super) async fn of(
    connection: &mut PgConnection,
    id: Uuid,
    name: &str,
) -> Result<Vec<String>, Error> {
    naming(connection, &[id.to_string(), name.to_owned()]).await
}

/// As [`of`], for those that use its name and not its id.
pub(super) async fn by_name(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Vec<String>, Error> {
    naming(connection, &[name.to_owned()]).await
}

async fn naming(connection: &mut PgConnection, names: &[String]) -> Result<Vec<String>, Error> {
    let slugs = sqlx::query_file_scalar!("queries/agent/usage.sql", names, NAMED_MAX)
        .fetch_all(connection)
        .await?;
    Ok(slugs)
}
