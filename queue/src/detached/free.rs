//! What a worker leaves behind is put up again. An attempt that may be made once at most fails
//! instead, and so does one that has cost too many workers their life.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use stepwell_workflow::Failure;
use stepwell_workflow::limits::DEATHS_MAX;
use uuid::Uuid;

use super::report::report;
use super::{Place, PutUpOn, Report, key, place};
use crate::listen::Hint;
use crate::{Error, Store};

/// Frees what a worker makes, except `keep`. Its row must be marked first, or its epoch raised, so
/// that nothing of it is under way. `deaths`: 1 when it died.
pub(crate) async fn free(
    connection: &mut PgConnection,
    store: &Store,
    worker_id: Uuid,
    keep: &[Place],
    deaths: i16,
) -> Result<usize, Error> {
    let made = sqlx::query!(
        r#"select run_id, step, item, generation, attempt, once, deaths, lane
           from stepwell.detached where worker_id = $1"#,
        worker_id
    )
    .fetch_all(&mut *connection)
    .await?;
    let (mut lost, mut free, mut lanes) = (Vec::new(), Vec::new(), BTreeSet::new());
    for row in made {
        let place = Place {
            run_id: row.run_id,
            key: key(row.step, row.item),
            generation: row.generation,
            attempt: u32::try_from(row.attempt).unwrap_or(0),
        };
        if keep.contains(&place) {
            continue;
        }
        let deaths = row.deaths + deaths;
        if row.once {
            let message = "its worker stopped during the attempt, and it may be made at most once";
            lost.push((
                place,
                Report::failed(place, Failure::fatal("lost", message)),
            ));
        } else if u16::try_from(deaths).is_ok_and(|deaths| deaths >= DEATHS_MAX) {
            let message = format!(
                "{deaths} workers died while they made this attempt; retry the run once the cause \
                 is mended"
            );
            lost.push((
                place,
                Report::failed(place, Failure::fatal("poisoned", message)),
            ));
        } else {
            free.push(place);
            lanes.insert(row.lane);
        }
    }
    if !lost.is_empty() {
        report(connection, worker_id, None, &lost)
            .await?
            .announce(store);
    }
    if !free.is_empty() {
        sqlx::query!(
            "update stepwell.detached d set worker_id = null, deaths = d.deaths + $2
             from (select unnest($3::uuid[]) as run_id, unnest($4::smallint[]) as step,
                          unnest($5::int[]) as item) as f
             where d.run_id = f.run_id and d.step = f.step and d.item = f.item and d.worker_id = $1",
            worker_id,
            deaths,
            &free.iter().map(|p| p.run_id).collect::<Vec<_>>(),
            &free.iter().map(|p| place(p.key).0).collect::<Vec<_>>(),
            &free.iter().map(|p| place(p.key).1).collect::<Vec<_>>(),
        )
        .execute(&mut *connection)
        .await?;
    }
    for lane in lanes {
        let kind = PutUpOn::Queue;
        store.announce(Hint::PutUp { kind, lane });
    }
    Ok(lost.len() + free.len())
}
