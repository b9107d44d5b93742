//! The loop that claims: as many jobs as slots are free, as soon as there is due work, and otherwise
//! when a hint, a timer or the poll says that there may be some.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use stepwell_workflow::Time;
use tokio::sync::broadcast::Receiver;
use tokio_util::sync::CancellationToken;

use super::ahead::Ahead;
use super::buffer::Buffer;
use super::floor::Pace;
use super::suspects::Suspects;
use super::take::{Ask, Taken};
use super::trial;
use crate::backoff::{Backoff, jittered};
use crate::clock;
use crate::link::{Link, timed_out};
use crate::listen::Hint;
use crate::queues::rules::Rules;
use crate::worker::Life;
use crate::worker::owner::Owner;
use crate::{Changes, Committer, End, Error};

/// Jobs of one claim: more would keep the first of them waiting for the last.
const CLAIM_MAX: usize = 500;
/// Jobs of a worker's first claim: while the next one is on its way, the definition that most of them have is
/// loaded and compiled, once and not with a thousand drivers waiting.
const FIRST_CLAIM_MAX: usize = 32;
/// How long one claim may take.
pub(super) const CLAIM_TIMEOUT: Duration = Duration::from_secs(10);

/// One worker's claims.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(super) life: Arc<Life>,
    pub(super) committer: Committer,
    pub(super) buffer: Arc<Buffer>,
    pub(super) link: Link,
    pub(super) queues: Vec<(Arc<str>, Pace)>,
    /// What somebody decided about them.
    pub(super) rules: Rules,
    pub(super) slots: usize,
    pub(super) ahead: Ahead,
    /// By queue.
    pub(super) suspects: Vec<Suspects>,
    pub(super) hints: Receiver<Hint>,
}

/// How one look at the queues went.
#[derive(Debug, Default)]
struct Round {
    /// As many were found as were looked for: there is a backlog.
    filled: bool,
    /// Jobs were found.
    found: bool,
    /// How long until there is something to do for sure.
    wait: Option<Duration>,
    /// A queue may have work that its limit does not allow for now: a slot of ours that becomes free
    /// may make room there.
    limited: bool,
}

impl Desk {
    pub(crate) fn new(
        life: Arc<Life>,
        committer: Committer,
        buffer: Arc<Buffer>,
        link: Link,
        slots: usize,
    ) -> Self {
        let queues = life.options.queues.iter();
        Self {
            link,
            queues: queues
                .map(|q| (Arc::from(q.as_str()), Pace::new()))
                .collect(),
            rules: Rules::default(),
            hints: life.store.hints(),
            slots,
            ahead: Ahead::new(Instant::now()),
            suspects: Vec::new(),
            life,
            committer,
            buffer,
        }
    }

    /// Claims until `stop`, then gives back what nobody has taken out of the buffer.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new();
        let life = Arc::clone(&self.life);
        let over =
            || stop.is_cancelled() || life.fenced.is_cancelled() || life.ended.is_cancelled();
        // Whether there may be more work than slots.
        let mut backlog = false;
        let mut first = true;
        while !over() {
            let free = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = life.fenced.cancelled() => break,
                () = life.ended.cancelled() => break,
                free = self.room(backlog) => free,
            };
            let most = if first { FIRST_CLAIM_MAX } else { CLAIM_MAX };
            let round = self.round(free.min(most)).await;
            backlog = matches!(round, Ok(Round { filled: true, .. }));
            if std::mem::take(&mut first) && !matches!(round, Ok(Round { found: true, .. })) {
                life.store.desk.settled.cancel();
            }
            let limited = matches!(round, Ok(Round { limited: true, .. }));
            let wait = match round {
                Ok(Round { filled: true, .. }) => {
                    backoff.reset();
                    continue;
                }
                Ok(Round { wait, .. }) => {
                    backoff.reset();
                    let poll = jittered(life.options.poll);
                    wait.map_or(poll, |wait| wait.min(poll))
                }
                Err(error) => {
                    tracing::warn!(%error, "a claim failed");
                    self.link.forget();
                    // Jobs may be ours without our knowing.
                    life.doubt();
                    backoff.step()
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = life.fenced.cancelled() => {}
                () = life.ended.cancelled() => {}
                () = self.called() => {}
                () = life.woken.notified() => {}
                () = life.freed.notified(), if limited || self.suspects_wait() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.close().await;
    }

    /// Looks at the queues in order of preference, until so many jobs are found.
    async fn round(&mut self, most: usize) -> Result<Round, Error> {
        let life = Arc::clone(&self.life);
        // Before the look, so that nothing that comes during it is missed.
        self.forget_hints();
        self.learn_rules().await?;
        let own_wake_at = life.take_wake_at();
        let mut left = most;
        let mut round = Round::default();
        for n in 0..self.queues.len() {
            while let Some((queue, pace)) = self.queues.get(n) {
                let (floor, scan) = pace.next(Instant::now());
                let queue = Arc::clone(queue);
                let rule = self.rules.of(&queue);
                if rule.paused {
                    break;
                }
                // A scan in full finds what is behind by itself.
                let mut named = self.look_for_suspects(n, left).await?;
                if !scan.is_full() {
                    let left = left.saturating_sub(named.len());
                    named.extend(self.look_behind(n, left).await?);
                }
                let counters = &life.store.desk.counters;
                counters.claims.add(1);
                counters.full_scans.add(usize::from(scan.is_full()));
                let ask = Ask {
                    worker_id: life.id,
                    epoch: life.epoch.load(Ordering::Acquire),
                    days: &life.store.desk.days,
                    queue: &queue,
                    floor,
                    named: &named,
                    wanted: left,
                };
                let claimed = self.claim(ask, rule.limited, scan.at_most(left)).await?;
                let Some((taken, held_back)) = claimed else {
                    if let Some((_, pace)) = self.queues.get_mut(n) {
                        pace.note(scan, None, Instant::now());
                    }
                    continue;
                };
                round.limited |= held_back;
                if !taken.owned {
                    life.wake_at(own_wake_at);
                    return self.lost().await;
                }
                let scanned = taken.scanned;
                clock::is_past(scanned.at);
                let due_in = taken.next_due.map(|due| until(due, scanned.at));
                left = left.saturating_sub(scanned.found);
                life.took_up(&queue, scanned.found);
                round.found |= scanned.found > 0;
                let now = Instant::now();
                let Some((_, pace)) = self.queues.get_mut(n) else {
                    break;
                };
                pace.note(scan, Some(scanned), now);
                let look_in = pace.look_in(now);
                let again = !scan.is_full() && left > 0 && pace.next(now).1.is_full();
                self.hand_over(taken).await;
                if again {
                    continue;
                }
                for wait in [due_in, look_in].into_iter().flatten() {
                    round.wait = Some(round.wait.map_or(wait, |least| least.min(wait)));
                }
                break;
            }
            if left == 0 {
                round.filled = true;
                break;
            }
        }
        let now = clock::now();
        if let Some(at) = own_wake_at.filter(|at| *at > now) {
            let wait = until(at, now);
            round.wait = Some(round.wait.map_or(wait, |least| least.min(wait)));
        }
        Ok(round)
    }

    /// Claims once, as [`trial::claim`] does.
    async fn claim(
        &mut self,
        ask: Ask<'_>,
        limited: bool,
        at_most: Option<Duration>,
    ) -> Result<Option<(Taken, bool)>, Error> {
        let life = &self.life;
        let _no_reconciliation = life.claiming.lock().await;
        let connection = self.link.get().await?;
        let taking = trial::claim(connection, ask, limited, at_most);
        let taken = tokio::time::timeout(CLAIM_TIMEOUT, taking)
            .await
            .map_err(|_| Error::Unavailable(timed_out("a claim")))??;
        let Some((taken, held_back)) = taken else {
            return Ok(None);
        };
        let claimed = taken.claimed.iter();
        let claimed = claimed.map(|claimed| (claimed.header.id, claimed.deaths));
        let unreadable = taken.unreadable.iter().map(|run| (run.run_id, 0));
        life.held.insert(claimed.chain(unreadable));
        Ok(Some((taken, held_back)))
    }

    /// Reads what was decided about the queues, when it may have changed.
    async fn learn_rules(&mut self) -> Result<(), Error> {
        if !self.rules.stale(Instant::now()) {
            return Ok(());
        }
        let queues = &self.life.options.queues;
        let connection = self.link.get().await?;
        tokio::time::timeout(CLAIM_TIMEOUT, self.rules.read(connection, queues))
            .await
            .map_err(|_| Error::Unavailable(timed_out("reading the queues' rules")))?
    }

    /// Nothing was claimed, because this worker is not alive, is draining, or is in another epoch.
    async fn lost(&mut self) -> Result<Round, Error> {
        let owner = self.life.look_up_owner(&mut self.link).await?;
        Ok(Round {
            wait: (owner == Owner::Alive && !self.life.draining.is_cancelled())
                .then_some(Duration::ZERO),
            ..Round::default()
        })
    }

    async fn close(&mut self) {
        self.buffer.closed.cancel();
        let giving_back: Vec<_> = std::iter::from_fn(|| self.buffer.pop())
            .map(|claimed| {
                let changes = Changes {
                    run_id: claimed.header.id,
                    generation: claimed.header.generation,
                    sequence: claimed.header.sequence,
                    end: Some(End::GivenBack),
                    ..Changes::default()
                };
                self.committer.commit(changes)
            })
            .collect();
        futures::future::join_all(giving_back).await;
        self.link.close().await;
    }
}

/// Returns how long until `at`, rounded up.
fn until(at: Time, now: Time) -> Duration {
    (at - now).to_std().unwrap_or_default() + Duration::from_micros(500)
}
