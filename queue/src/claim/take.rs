//! One claim: leases, headers, and for runs begun before their steps and messages.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::{RunHeader, RunStatus, StepKey, Time};
use uuid::Uuid;

use super::floor::Scanned;
use super::mark::Mark;
use super::{Claimed, load};
use crate::{Error, inbox};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) worker_id: Uuid,
    pub(super) epoch: i32,
    pub(super) queue: &'a Arc<str>,
    pub(super) floor: Mark,
    /// Jobs behind the floor.
    pub(super) named: &'a [Uuid],
    pub(super) wanted: usize,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) claimed: Vec<Claimed>,
    /// Leased, but what is stored of them cannot be read.
    pub(super) unreadable: Vec<Unreadable>,
    /// Leased, but their run is gone with its partition.
    pub(super) orphans: Vec<Uuid>,
    /// Whether the worker is alive to the database, in the epoch it gave.
    pub(super) owned: bool,
    /// When the next timed job of this queue is due.
    pub(super) next_due: Option<Time>,
    pub(super) scanned: Scanned,
}

/// A run that no driver can take up.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) run_id: Uuid,
    pub(super) generation: i32,
    pub(super) sequence: i64,
    pub(super) parent: Option<Parent>,
    pub(super) problem: String,
}

/// Takes up to `wanted` due jobs.
pub(super) async fn take(connection: &mut PgConnection, ask: Ask<'_>) -> Result<Taken, Error> {
    let limit = i64::try_from(ask.wanted).unwrap_or(i64::MAX);
    let rows = sqlx::query_file!(
        "queries/claim.sql",
        ask.worker_id,
        ask.epoch,
        &**ask.queue,
        ask.floor.rank,
        ask.floor.run_id,
        ask.floor.run_at,
        limit,
        ask.named,
    )
    .fetch_all(&mut *connection)
    .await?;
    let took = rows.last().map_or(0, |row| row.took.microseconds);
    let mut taken = Taken {
        claimed: Vec::with_capacity(rows.len()),
        unreadable: Vec::new(),
        orphans: Vec::new(),
        owned: rows.first().is_some_and(|row| row.owned),
        next_due: rows.first().and_then(|row| row.next_due),
        scanned: Scanned {
            took: Duration::from_micros(u64::try_from(took).unwrap_or(0)),
            found: 0,
            wanted: ask.wanted,
            ready: None,
            timed: None,
            at: rows.first().map_or(Time::UNIX_EPOCH, |row| row.now),
        },
    };
    let (mut begun_before, mut written_to) = (Vec::new(), Vec::new());
    for row in rows {
        let Some(run_id) = row.run_id else { continue };
        taken.scanned.found += 1;
        match (row.run_at, row.rank) {
            (Some(run_at), _) => taken.scanned.timed = taken.scanned.timed.max(Some(run_at)),
            (None, Some(rank)) => {
                taken.scanned.ready = taken.scanned.ready.max(Some((rank, run_id)));
            }
            (None, None) => {}
        }
        let (Some(workflow_id), Some(created_at)) = (row.workflow_id, row.created_at) else {
            taken.orphans.push(run_id);
            continue;
        };
        if row.fresh == Some(false) {
            begun_before.push(run_id);
        }
        if row.messages.unwrap_or(0) > 0 {
            written_to.push(run_id);
        }
        let generation = row.generation.unwrap_or(1);
        let sequence = row.sequence.unwrap_or(1);
        let parent = parent(
            row.parent_id,
            row.parent_step,
            row.parent_item,
            row.parent_generation,
        );
        let input = match load::value(row.input) {
            Ok(input) => input.unwrap_or_else(|| Arc::new(Value::Null)),
            Err(problem) => {
                taken.unreadable.push(Unreadable {
                    run_id,
                    generation,
                    sequence,
                    parent,
                    problem: format!("input: {problem}"),
                });
                continue;
            }
        };
        let header = RunHeader {
            id: run_id,
            workflow_id,
            workflow_name: Arc::from(row.workflow_name.unwrap_or_default()),
            version: row.version.unwrap_or_default(),
            generation,
            status: match row.started_at {
                Some(_) => RunStatus::Running,
                None => RunStatus::Pending,
            },
            input,
            created_at,
            started_at: row.started_at,
            timeout_ms: row.timeout_ms,
            sequence,
            paused: row.paused.unwrap_or(false),
            parent,
        };
        taken.claimed.push(Claimed {
            header,
            steps: Vec::new(),
            messages: Vec::new(),
            deaths: u16::try_from(row.deaths.unwrap_or(0)).unwrap_or(u16::MAX),
            queue: Arc::clone(ask.queue),
            request_id: row.request_id,
            traceparent: row.traceparent,
        });
    }
    fill_in(connection, &mut taken, &begun_before, &written_to).await?;
    Ok(taken)
}

/// Reads steps and messages where there are any.
async fn fill_in(
    connection: &mut PgConnection,
    taken: &mut Taken,
    begun_before: &[Uuid],
    written_to: &[Uuid],
) -> Result<(), Error> {
    if !begun_before.is_empty() {
        let mut loaded = load::steps(connection, begun_before).await?;
        let claimed = std::mem::take(&mut taken.claimed);
        for mut run in claimed {
            match loaded.remove(&run.header.id) {
                None => {}
                Some(Ok(steps)) => run.steps = steps,
                Some(Err(problem)) => {
                    taken.unreadable.push(Unreadable {
                        run_id: run.header.id,
                        generation: run.header.generation,
                        sequence: run.header.sequence,
                        parent: run.header.parent,
                        problem,
                    });
                    continue;
                }
            }
            taken.claimed.push(run);
        }
    }
    if !written_to.is_empty() {
        let mut messages = inbox::read(connection, written_to).await?;
        for run in &mut taken.claimed {
            run.messages = messages.remove(&run.header.id).unwrap_or_default();
        }
    }
    Ok(())
}

fn parent(
    run_id: Option<Uuid>,
    step: Option<i32>,
    item: Option<i32>,
    generation: Option<i32>,
) -> Option<Parent> {
    Some(Parent {
        run_id: run_id?,
        key: StepKey {
            step: u16::try_from(step?).ok()?,
            item: item.and_then(|item| u32::try_from(item).ok()),
        },
        generation: generation.unwrap_or(1),
    })
}
