//! The agents that a definition names stay while the workflow is written: whoever deletes or renames
//! one waits, and then finds the workflow that uses it.

use std::collections::HashSet;

use sqlx::PgConnection;

use crate::Error;

/// Holds the named agents (names or ids) to the end of the transaction; returns the names that no
/// agent has by now.
pub(super) async fn hold(
    connection: &mut PgConnection,
    names: &[String],
) -> Result<Vec<String>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    // `for key share` waits for the `for update` of a deletion, looks again after it, and keeps
    // nobody waiting who writes runs. In order, against deadlocks.
    let held = sqlx::query!(
        r#"select name, id::text as "id!" from stepwell.agent
           where deleted_at is null
             and (name = any($1::text[]) or id::text = any (select lower(n) from unnest($1::text[]) n))
           order by id
           for key share"#,
        names
    )
    .fetch_all(connection)
    .await?;
    let held: HashSet<String> = held
        .into_iter()
        .flat_map(|agent| [agent.name, agent.id])
        .collect();
    let is_held = |name: &&String| held.contains(*name) || held.contains(&name.to_lowercase());
    Ok(names
        .iter()
        .filter(|name| !is_held(name))
        .cloned()
        .collect())
}
