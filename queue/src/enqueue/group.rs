//! Natural group commit of single enqueues: whatever arrives while one transaction is in flight
//! goes into the next, so nobody waits for company and nobody pays for a transaction alone.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::{Enqueued, RunColumns, write};
use crate::error::Fault;
use crate::link::{Link, timed_out};
use crate::{Error, NewRun, Store, place, transaction};

/// Transactions in flight at once: while one waits for the disk, the next is being written.
const LANES: usize = 2;
/// Runs of one transaction.
const GROUP_RUNS_MAX: usize = 1_000;
/// Bytes of inputs in one transaction, unless a single one is larger.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// Callers that wait: beyond this the database is too slow for what is asked of it, and it is
/// kinder to say so.
const CALLERS_MAX: usize = 10_000;
/// How long one transaction may take.
const GROUP_TIMEOUT: Duration = Duration::from_secs(20);
/// Tries of a transaction that failed without anybody's fault, as by a deadlock.
const TRIES: usize = 5;
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// Where single enqueues queue up.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    waiting: Mutex<VecDeque<Caller>>,
    arrived: Notify,
    started: OnceLock<()>,
}

#[derive(Debug)]
struct Caller {
    run: NewRun,
    answer: oneshot::Sender<Result<Enqueued, Error>>,
}

impl Intake {
    /// Waits in line; returns after the commit.
    pub(crate) async fn put(&self, store: &Store, run: NewRun) -> Result<Enqueued, Error> {
        self.started.get_or_init(|| {
            for _ in 0..LANES {
                tokio::spawn(lane(store.clone()));
            }
        });
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.lock();
            if waiting.len() >= CALLERS_MAX {
                return Err(Error::Unavailable(sqlx::Error::PoolTimedOut));
            }
            waiting.push_back(Caller { run, answer });
        }
        self.arrived.notify_one();
        // A lane that is gone was closed with its store.
        answered
            .await
            .unwrap_or(Err(Error::Unavailable(sqlx::Error::PoolClosed)))
    }

    /// Takes the next group.
    fn take(&self) -> Vec<Caller> {
        let mut waiting = self.lock();
        let mut group = Vec::new();
        let mut bytes = 0;
        while group.len() < GROUP_RUNS_MAX && bytes < GROUP_BYTES_MAX {
            let Some(caller) = waiting.pop_front() else {
                break;
            };
            bytes += caller.run.input.get().len();
            group.push(caller);
        }
        if !waiting.is_empty() {
            self.arrived.notify_one();
        }
        group
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Caller>> {
        // A queue is whole between any two calls.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the loops that write groups.
async fn lane(store: Store) {
    let desk = std::sync::Arc::clone(&store.desk);
    let mut link = store.steady_link();
    loop {
        tokio::select! {
            () = desk.closing.cancelled() => break,
            () = desk.intake.arrived.notified() => {}
        }
        let group = desk.intake.take();
        if !group.is_empty() {
            serve(&store, &mut link, group).await;
        }
    }
    desk.intake.lock().clear();
    link.close().await;
}

/// Writes one group and answers its callers. When a row is to blame, each is tried alone, so that
/// only the guilty one hears of it.
async fn serve(store: &Store, link: &mut Link, group: Vec<Caller>) {
    let (runs, answers): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|caller| (caller.run, caller.answer))
        .unzip();
    match write_group(store, link, &runs).await {
        Ok(outcomes) => {
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // A caller that went away does not undo its run.
                let _ = answer.send(Ok(outcome));
            }
        }
        Err(error @ Error::Unavailable(_)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, runs = runs.len(), "enqueue failed");
            for answer in answers {
                let _ = answer.send(Err(error.again()));
            }
        }
        Err(error) if runs.len() == 1 => {
            for answer in answers {
                let _ = answer.send(Err(Error::Refused(sqlx::Error::Protocol(error_chain(
                    &error,
                )))));
            }
        }
        Err(_) => {
            for (run, answer) in runs.into_iter().zip(answers) {
                Box::pin(serve(store, link, vec![Caller { run, answer }])).await;
            }
        }
    }
}

async fn write_group(
    store: &Store,
    link: &mut Link,
    runs: &[NewRun],
) -> Result<Vec<Enqueued>, Error> {
    let mut outcomes: Vec<Option<Enqueued>> = vec![None; runs.len()];
    for _ in 0..TRIES {
        let open: Vec<usize> = (0..runs.len()).filter(|&n| outcomes[n].is_none()).collect();
        if open.is_empty() {
            break;
        }
        let left: Vec<_> = open.iter().map(|&n| &runs[n]).collect();
        let done = tokio::time::timeout(GROUP_TIMEOUT, write_once(link, &left))
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable(timed_out("writing runs"))));
        match done {
            Ok(found) => {
                let created = open
                    .iter()
                    .zip(&found)
                    .filter(|(_, f)| matches!(f, Some(Enqueued::Created)))
                    .map(|(&n, _)| &runs[n]);
                store.desk.counters.enqueue_batches.add(1);
                store
                    .desk
                    .counters
                    .enqueued_runs
                    .add(created.clone().count());
                store.say_work(created);
                for (n, outcome) in open.into_iter().zip(found) {
                    outcomes[n] = outcome;
                }
            }
            Err(Error::Unavailable(error)) if Fault::of(&error) == Fault::Passing => {
                tokio::time::sleep(TRY_AGAIN).await;
            }
            Err(error) => {
                link.forget();
                return Err(error);
            }
        }
    }
    outcomes
        .into_iter()
        .map(|outcome| outcome.ok_or(Error::Unavailable(sqlx::Error::PoolTimedOut)))
        .collect()
}

/// One transaction, and the reasons of those who were not admitted; `None`: ask again.
async fn write_once(link: &mut Link, runs: &[&NewRun]) -> Result<Vec<Option<Enqueued>>, Error> {
    let connection = link.get().await?;
    let mut refused = later_users(runs);
    let placed: Vec<_> = runs.iter().filter(|run| run.place.is_some()).collect();
    let has_key = |run: &NewRun| run.idempotency.is_some() || run.dedupe_key.is_some();
    let keyed: Vec<_> = (0..runs.len())
        .filter(|n| !refused.contains(n) && has_key(runs[*n]))
        .collect();
    let called = runs.iter().any(|run| run.callback_url.is_some());
    if keyed.is_empty() && placed.is_empty() && !called {
        write::insert_runs(connection, RunColumns::of(runs.iter().copied())).await?;
        return Ok(vec![Some(Enqueued::Created); runs.len()]);
    }
    let mut transaction = transaction::begin(connection).await?;
    let placed: Vec<_> = placed.into_iter().copied().collect();
    let full = place::refused(&mut transaction, &placed).await?;
    refused.extend((0..runs.len()).filter(|&n| full.contains(&runs[n].id)));
    let keyed: Vec<_> = keyed.into_iter().filter(|n| !refused.contains(n)).collect();
    let asking: Vec<_> = keyed.iter().map(|&n| runs[n]).collect();
    let reserved = match asking.is_empty() {
        true => HashSet::new(),
        false => match write::reserve(&mut transaction, &asking).await? {
            Some(reserved) => reserved,
            None => return Ok(vec![None; runs.len()]),
        },
    };
    refused.extend(keyed.iter().filter(|n| !reserved.contains(&runs[**n].id)));
    let admitted: Vec<_> = (0..runs.len())
        .filter(|n| !refused.contains(n))
        .map(|n| runs[n])
        .collect();
    if !admitted.is_empty() {
        let columns = RunColumns::of(admitted.iter().copied());
        write::insert_runs(&mut transaction, columns).await?;
        place::insert(&mut transaction, admitted.iter().copied()).await?;
        write::keep_callbacks(&mut transaction, admitted.into_iter()).await?;
    }
    transaction.commit().await?;
    let mut outcomes = Vec::with_capacity(runs.len());
    for (n, run) in runs.iter().enumerate() {
        outcomes.push(if full.contains(&run.id) {
            // The first answer to the same request stands, whatever came since.
            let earlier = write::conflict(connection, run).await?;
            earlier.or_else(|| Some(super::full(run)))
        } else if refused.contains(&n) {
            write::conflict(connection, run).await?
        } else {
            Some(Enqueued::Created)
        });
    }
    Ok(outcomes)
}

/// Returns those whose key an earlier one of the group uses: they hear what became of that one.
fn later_users(runs: &[&NewRun]) -> HashSet<usize> {
    let (mut idempotency, mut dedupe) = (HashSet::new(), HashSet::new());
    let mut later = HashSet::new();
    for (n, run) in runs.iter().enumerate() {
        let key = run.idempotency.as_ref().map(|i| (&i.scope, &i.key));
        let live = run.dedupe_key.as_ref().map(|key| (run.workflow_id, key));
        if key.is_some_and(|key| idempotency.contains(&key))
            || live.is_some_and(|live| dedupe.contains(&live))
        {
            later.insert(n);
        } else {
            idempotency.extend(key);
            dedupe.extend(live);
        }
    }
    later
}

fn error_chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
