//! One claim: leases, headers, and for runs begun before their steps and messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use stepwell_workflow::Time;
use stepwell_workflow::snapshot::Parent;
use uuid::Uuid;

use super::floor::Scanned;
use super::mark::Mark;
use super::stored::{self, Stored};
use super::{Claimed, load};
use crate::day::Days;
use crate::{Error, inbox};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) worker_id: Uuid,
    pub(super) epoch: i32,
    pub(super) days: &'a Days,
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

/// A job that is this worker's now.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) run_id: Uuid,
    pub(super) fresh: bool,
    pub(super) deaths: i16,
    pub(super) messages: i32,
    pub(super) paused: bool,
    pub(super) started_at: Option<Time>,
    pub(super) sequence: i64,
    /// What the claim read of the run along with it.
    stored: Option<Stored>,
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

/// Takes up to `wanted` due jobs. Most runs began today, so the claim itself reads what is stored of those;
/// for the others there is a statement more.
pub(super) async fn take(connection: &mut PgConnection, ask: Ask<'_>) -> Result<Taken, Error> {
    let limit = i64::try_from(ask.wanted).unwrap_or(i64::MAX);
    let today = ask.days.today(connection).await?;
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
    .fetch_all(today.connection(connection))
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
    let mut leases = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(run_id) = row.run_id else { continue };
        taken.scanned.note(run_id, row.rank, row.run_at);
        leases.push(Lease {
            run_id,
            fresh: row.fresh.unwrap_or(true),
            deaths: row.deaths.unwrap_or(0),
            messages: row.messages.unwrap_or(0),
            paused: row.paused.unwrap_or(false),
            started_at: row.started_at,
            sequence: row.sequence.unwrap_or(1),
            stored: row
                .workflow_id
                .zip(row.created_at)
                .map(|(workflow_id, created_at)| Stored {
                    run_id,
                    workflow_id,
                    workflow_name: row.workflow_name.unwrap_or_default(),
                    version: row.version.unwrap_or_default(),
                    generation: row.generation.unwrap_or(1),
                    input: row.input,
                    created_at,
                    timeout_ms: row.timeout_ms,
                    parent_id: row.parent_id,
                    parent_step: row.parent_step,
                    parent_item: row.parent_item,
                    parent_generation: row.parent_generation,
                    request_id: row.request_id,
                    traceparent: row.traceparent,
                }),
        });
    }
    hand_out(connection, &ask, leases, &mut taken).await?;
    Ok(taken)
}

/// Makes runs of leases.
async fn hand_out(
    connection: &mut PgConnection,
    ask: &Ask<'_>,
    leases: Vec<Lease>,
    taken: &mut Taken,
) -> Result<(), Error> {
    let older = leases.iter().filter(|lease| lease.stored.is_none());
    let older: Vec<_> = older.map(|lease| lease.run_id).collect();
    let mut older = if older.is_empty() {
        HashMap::new()
    } else {
        stored::read(connection, ask.days, &older).await?
    };
    let (mut begun_before, mut written_to) = (Vec::new(), Vec::new());
    for mut lease in leases {
        let run_id = lease.run_id;
        let Some(stored) = lease.stored.take().or_else(|| older.remove(&run_id)) else {
            taken.orphans.push(run_id);
            continue;
        };
        if !lease.fresh {
            begun_before.push(run_id);
        }
        if lease.messages > 0 {
            written_to.push(run_id);
        }
        let (generation, parent) = (stored.generation, stored.parent());
        let (request_id, traceparent) = (stored.request_id.clone(), stored.traceparent.clone());
        match stored.header(&lease) {
            Ok(header) => taken.claimed.push(Claimed {
                header,
                steps: Vec::new(),
                messages: Vec::new(),
                deaths: u16::try_from(lease.deaths).unwrap_or(u16::MAX),
                queue: Arc::clone(ask.queue),
                request_id,
                traceparent,
            }),
            Err(problem) => taken.unreadable.push(Unreadable {
                run_id,
                generation,
                sequence: lease.sequence,
                parent,
                problem,
            }),
        }
    }
    fill_in(connection, ask.days, taken, &begun_before, &written_to).await
}

/// Reads steps and messages where there are any.
async fn fill_in(
    connection: &mut PgConnection,
    days: &Days,
    taken: &mut Taken,
    begun_before: &[Uuid],
    written_to: &[Uuid],
) -> Result<(), Error> {
    if !begun_before.is_empty() {
        let on = days.of(connection, begun_before.iter().copied()).await?;
        let mut loaded = load::steps(connection, on, begun_before).await?;
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
