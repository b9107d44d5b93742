//! Places are taken or queued for in the transaction that enqueues their runs.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::lock;
use crate::text::clean;
use crate::{Error, NewRun};

/// Returns those of these runs for which there is no place, and which do not want to wait. The locks
/// of their keys are held until the transaction ends.
pub(crate) async fn refused(
    connection: &mut PgConnection,
    runs: &[&NewRun],
) -> Result<HashSet<Uuid>, Error> {
    // In order, so that two transactions take the same locks in the same order.
    let mut by_key: BTreeMap<(Uuid, &str), Vec<(Uuid, i32)>> = BTreeMap::new();
    for run in runs {
        if let Some(claim) = run.place.as_ref().filter(|claim| claim.reject) {
            let wanting = by_key.entry((run.workflow_id, &claim.key)).or_default();
            wanting.push((run.id, claim.most));
        }
    }
    let mut refused = HashSet::new();
    for ((workflow_id, key), wanting) in by_key {
        lock(connection, workflow_id, key).await?;
        let mut taken = sqlx::query_scalar!(
            r#"select count(*) as "count!" from stepwell.place where workflow_id = $1 and key = $2"#,
            workflow_id,
            clean(key) as _,
        )
        .fetch_one(&mut *connection)
        .await?;
        for (run_id, most) in wanting {
            if taken < i64::from(most) {
                taken += 1;
            } else {
                refused.insert(run_id);
            }
        }
    }
    Ok(refused)
}

/// Writes down that these runs come. One that is to begin later asks when its time has come.
pub(crate) async fn insert<'a>(
    connection: &mut PgConnection,
    runs: impl Iterator<Item = &'a NewRun>,
) -> Result<(), sqlx::Error> {
    let coming = runs.filter_map(|run| {
        let claim = run.place.as_ref()?;
        (claim.reject || run.run_at.is_none()).then_some((run, claim))
    });
    let (mut run_ids, mut workflow_ids, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let (mut most, mut held) = (Vec::new(), Vec::new());
    for (run, claim) in coming {
        run_ids.push(run.id);
        workflow_ids.push(run.workflow_id);
        keys.push(clean(&claim.key).into_owned());
        most.push(claim.most);
        held.push(claim.reject);
    }
    if run_ids.is_empty() {
        return Ok(());
    }
    sqlx::query_file!(
        "queries/place/reserve.sql",
        &run_ids,
        &workflow_ids,
        &keys,
        &most,
        &held,
    )
    .execute(connection)
    .await?;
    Ok(())
}
