//! What the commit of a driver does to the attempts that others make, in its own transaction.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{PutUp, PutUpOn, place};
use crate::text::clean;

/// What one driver changes.
#[derive(Debug, Default)]
pub(crate) struct DetachedRows {
    pub(crate) put_up: Vec<PutUpRow>,
    /// (step, item)
    pub(crate) recalled: Vec<(i16, i32)>,
    /// Whatever there is of this run goes.
    pub(crate) recalls_all: bool,
}

impl DetachedRows {
    pub(crate) fn is_empty(&self) -> bool {
        self.count() == 0 && !self.recalls_all
    }

    pub(crate) fn count(&self) -> usize {
        self.put_up.len() + self.recalled.len()
    }

    pub(crate) fn weight(&self) -> usize {
        self.put_up.iter().map(|row| row.call.len()).sum()
    }
}

/// An attempt for others as a row.
#[derive(Debug)]
pub(crate) struct PutUpRow {
    place: (i16, i32),
    generation: i32,
    attempt: i16,
    on: PutUpOn,
    lane: String,
    once: bool,
    name: String,
    workflow: String,
    call: String,
    timeout_ms: Option<i64>,
    request_id: Option<String>,
    traceparent: Option<String>,
}

impl PutUpRow {
    pub(crate) fn of(put_up: PutUp) -> Self {
        let attempt = put_up.attempt;
        let ms = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self {
            place: place(attempt.key),
            generation: attempt.generation,
            attempt: i16::try_from(attempt.attempt).unwrap_or(i16::MAX),
            on: put_up.on,
            lane: clean(&put_up.lane).into_owned(),
            once: put_up.once,
            name: clean(&attempt.name).into_owned(),
            workflow: clean(&put_up.workflow).into_owned(),
            // A call has string keys and nothing that can fail.
            call: serde_json::to_string(&attempt.call).unwrap_or_else(|_| "null".to_owned()),
            timeout_ms: attempt.timeout.map(ms),
            request_id: put_up.request_id.map(|id| clean(&id).into_owned()),
            traceparent: put_up.traceparent.map(|trace| clean(&trace).into_owned()),
        }
    }
}

/// Takes back what is recalled, puts up what is new, and returns where. Call it in the transaction of
/// the commit, after the statement that found the owner.
pub(crate) async fn write(
    connection: &mut PgConnection,
    changes: &[(Uuid, &DetachedRows)],
) -> Result<BTreeSet<(PutUpOn, String)>, sqlx::Error> {
    let all: Vec<Uuid> = changes
        .iter()
        .filter(|(_, rows)| rows.recalls_all)
        .map(|(run_id, _)| *run_id)
        .collect();
    let (mut runs, mut steps, mut items) = (Vec::new(), Vec::new(), Vec::new());
    for (run_id, rows) in changes {
        for (step, item) in &rows.recalled {
            runs.push(*run_id);
            steps.push(*step);
            items.push(*item);
        }
    }
    if !runs.is_empty() || !all.is_empty() {
        sqlx::query!(
            "with listed as (
                 delete from stepwell.detached d
                 using (select unnest($1::uuid[]) as run_id, unnest($2::smallint[]) as step,
                               unnest($3::int[]) as item) as r
                 where d.run_id = any ($1) and d.run_id = r.run_id and d.step = r.step and d.item = r.item
                   and d.run_id <> all ($4))
             delete from stepwell.detached where run_id = any ($4)",
            &runs,
            &steps,
            &items,
            &all
        )
        .execute(&mut *connection)
        .await?;
    }
    insert(connection, changes).await
}

async fn insert(
    connection: &mut PgConnection,
    changes: &[(Uuid, &DetachedRows)],
) -> Result<BTreeSet<(PutUpOn, String)>, sqlx::Error> {
    let rows = || {
        changes
            .iter()
            .flat_map(|(run_id, rows)| rows.put_up.iter().map(move |row| (*run_id, row)))
    };
    let lanes: BTreeSet<_> = rows().map(|(_, row)| (row.on, row.lane.clone())).collect();
    if lanes.is_empty() {
        return Ok(lanes);
    }
    let column = |of: fn(&PutUpRow) -> &str| -> Vec<&str> { rows().map(|(_, r)| of(r)).collect() };
    let maybe = |of: fn(&PutUpRow) -> Option<&str>| -> Vec<Option<&str>> {
        rows().map(|(_, r)| of(r)).collect()
    };
    sqlx::query!(
        "insert into stepwell.detached
             (run_id, step, item, generation, attempt, once, kind, lane, name, workflow, call, timeout_ms,
              request_id, traceparent)
         select run_id, step, item, generation, attempt, once, kind, lane, name, workflow, call::json, timeout_ms,
                request_id, traceparent
         from (select unnest($1::uuid[]) as run_id, unnest($2::smallint[]) as step, unnest($3::int[]) as item,
                      unnest($4::int[]) as generation, unnest($5::smallint[]) as attempt,
                      unnest($6::boolean[]) as once, unnest($7::text[]) as kind, unnest($8::text[]) as lane,
                      unnest($9::text[]) as name, unnest($10::text[]) as workflow, unnest($11::text[]) as call,
                      unnest($12::bigint[]) as timeout_ms, unnest($13::text[]) as request_id,
                      unnest($14::text[]) as traceparent) as n",
        &rows().map(|(run_id, _)| run_id).collect::<Vec<_>>(),
        &rows().map(|(_, r)| r.place.0).collect::<Vec<_>>(),
        &rows().map(|(_, r)| r.place.1).collect::<Vec<_>>(),
        &rows().map(|(_, r)| r.generation).collect::<Vec<_>>(),
        &rows().map(|(_, r)| r.attempt).collect::<Vec<_>>(),
        &rows().map(|(_, r)| r.once).collect::<Vec<_>>(),
        &column(|r| r.on.as_str()) as _,
        &column(|r| &r.lane) as _,
        &column(|r| &r.name) as _,
        &column(|r| &r.workflow) as _,
        &column(|r| &r.call) as _,
        &rows().map(|(_, r)| r.timeout_ms).collect::<Vec<_>>() as _,
        &maybe(|r| r.request_id.as_deref()) as _,
        &maybe(|r| r.traceparent.as_deref()) as _,
    )
    .execute(connection)
    .await?;
    Ok(lanes)
}
