//! Makes attempts for the drivers of others: those that are put up on this worker's queues.
//!
//! One loop takes them, begins each in a task of its own, and reports what they came to; whatever
//! ended while the last report was on its way goes into the next. An attempt whose row is gone was
//! recalled, and is dropped. When the worker stops, what is in flight may end within the grace
//! period; what is left is put up again as the worker leaves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stepwell_queue::Error;
use stepwell_queue::detached::{Detached, Place, PutUpOn, Report, Taken};
use stepwell_queue::listen::Hint;
use stepwell_workflow::{Failure, Outcome};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::context::Context;
use super::steps::{AgentPolicy, Begun, Origin};

/// Attempts taken at a time: few, so that the workers of a queue share what is put up together.
const TAKEN_AT_ONCE: usize = 16;
/// How often the loop looks whether its attempts were recalled: a cancelled step stops within a
/// second.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Before a report or a claim is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Makes attempts until `stop` is cancelled and those in flight have ended or are given up.
pub(super) async fn work(
    context: Arc<Context>,
    slots: usize,
    poll: Duration,
    stop: CancellationToken,
) {
    context.store.settled(&stop).await;
    let hand = context.worker.detached();
    let hints = hand.store().hints();
    let maker = Maker {
        context,
        hand,
        hints,
        slots,
        poll,
        making: JoinSet::new(),
        by_place: HashMap::new(),
        ended: Vec::new(),
        ask_at: Instant::now(),
        look_at: Instant::now() + LOOK_EVERY,
    };
    maker.run(stop).await;
}

struct Maker {
    context: Arc<Context>,
    hand: Detached,
    hints: broadcast::Receiver<Hint>,
    slots: usize,
    poll: Duration,
    making: JoinSet<(Place, Report)>,
    by_place: HashMap<Place, AbortHandle>,
    /// What is not yet reported.
    ended: Vec<(Place, Report)>,
    ask_at: Instant,
    look_at: Instant,
}

impl Maker {
    async fn run(mut self, stop: CancellationToken) {
        let stages = self.context.stages.clone();
        loop {
            self.gather();
            if !self.ended.is_empty() && !self.report().await {
                break;
            }
            let stopping = stop.is_cancelled();
            if stopping && self.by_place.is_empty() && self.ended.is_empty() {
                break;
            }
            let has_room = !stopping && self.by_place.len() < self.slots;
            let busy = !self.by_place.is_empty();
            let retry_at = Instant::now() + RETRY_AFTER;
            tokio::select! {
                biased;
                () = stages.dropped.cancelled() => break,
                () = stages.give_back.cancelled() => break,
                () = stop.cancelled(), if !stopping => {}
                Some(made) = self.making.join_next(), if busy => {
                    if let Ok((place, report)) = made {
                        self.landed(place, report);
                    }
                }
                hint = self.hints.recv(), if !stopping => self.heard(hint),
                () = sleep_until(retry_at), if !self.ended.is_empty() => {}
                () = sleep_until(self.look_at), if busy => self.look().await,
                () = sleep_until(self.ask_at), if has_room => self.take().await,
            }
        }
        // What is still made is put up again when the worker leaves.
        self.making.shutdown().await;
        self.hand.close().await;
    }

    fn heard(&mut self, hint: Result<Hint, RecvError>) {
        match hint {
            Ok(Hint::PutUp {
                kind: PutUpOn::Queue,
                lane,
            }) if self.hand.serves(&lane) => self.ask_at = Instant::now(),
            Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => self.ask_at = Instant::now(),
            // It is not closed while the hand holds the store.
            Ok(_) | Err(RecvError::Closed) => {}
        }
    }

    /// Takes what is put up, and begins it.
    async fn take(&mut self) {
        let room = self.slots - self.by_place.len();
        let asked = room.min(TAKEN_AT_ONCE);
        self.ask_at = match self.hand.take(asked).await {
            Ok(taken) => {
                let more = taken.len() == asked;
                if !taken.is_empty() {
                    tracing::debug!(taken = taken.len(), "took attempts");
                }
                for taken in taken {
                    self.begin(taken);
                }
                if more {
                    Instant::now()
                } else {
                    Instant::now() + self.poll
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no attempts can be taken yet");
                Instant::now() + RETRY_AFTER.max(self.poll)
            }
        };
    }

    fn begin(&mut self, taken: Taken) {
        let Taken {
            place,
            attempt,
            workflow,
            request_id,
            traceparent,
            ..
        } = taken;
        let origin = Origin::new(place.run_id, workflow, request_id, traceparent.as_deref());
        let origin = Arc::new(origin);
        let span = tracing::info_span!(
            "attempt", run_id = %place.run_id, step = %attempt.name, attempt = place.attempt,
        );
        let steps = Arc::clone(&self.context.steps);
        steps.metrics.attempt_started();
        match span.in_scope(|| steps.begin(&origin, attempt)) {
            Begun::Landed(outcome) => {
                steps.metrics.attempt_ended(&outcome);
                self.ended.push((place, report_of(place, outcome, None)));
            }
            Begun::InFlight(begun) => {
                let metrics = Arc::clone(&steps.metrics);
                let making = async move {
                    let outcome = begun.running.await;
                    metrics.attempt_ended(&outcome);
                    (place, report_of(place, outcome, begun.agent_policy))
                };
                let abort = self.making.spawn(making.instrument(span));
                self.by_place.insert(place, abort);
            }
        }
    }

    fn landed(&mut self, place: Place, report: Report) {
        // One that was recalled is nobody's any more.
        if self.by_place.remove(&place).is_some() {
            self.ended.push((place, report));
        }
    }

    /// Collects whatever has ended by now.
    fn gather(&mut self) {
        while let Some(made) = self.making.try_join_next() {
            if let Ok((place, report)) = made {
                self.landed(place, report);
            }
        }
    }

    /// Reports what has ended; `false`: this worker is not alive to the database.
    async fn report(&mut self) -> bool {
        match self.hand.report(&self.ended).await {
            Ok(owned) => {
                self.ended.clear();
                owned
            }
            Err(Error::Unavailable(error)) => {
                tracing::debug!(%error, "results wait for the database");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "results were refused; each is tried alone");
                self.report_one_by_one().await
            }
        }
    }

    async fn report_one_by_one(&mut self) -> bool {
        for (place, report) in std::mem::take(&mut self.ended) {
            let alone = [(place, report)];
            let reason = match self.hand.report(&alone).await {
                Ok(true) => continue,
                Ok(false) => return false,
                Err(Error::Unavailable(_)) => {
                    self.ended.extend(alone);
                    continue;
                }
                Err(error) => error,
            };
            let message = format!("the database refused what the attempt came to: {reason}");
            let outcome = Outcome::Failed {
                failure: Failure::fatal("refused", message),
                status: None,
                retry_after: None,
            };
            self.ended.push((place, report_of(place, outcome, None)));
        }
        true
    }

    /// Drops what was recalled.
    async fn look(&mut self) {
        self.look_at = Instant::now() + LOOK_EVERY;
        let places: Vec<Place> = self.by_place.keys().copied().collect();
        match self.hand.recalled(&places).await {
            Ok(recalled) => {
                for place in recalled {
                    if let Some(abort) = self.by_place.remove(&place) {
                        tracing::info!(run_id = %place.run_id, "nobody waits for an attempt: it is dropped");
                        abort.abort();
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "nobody knows yet whether attempts were recalled");
            }
        }
    }
}

fn report_of(place: Place, outcome: Outcome, agent_policy: Option<AgentPolicy>) -> Report {
    Report {
        key: place.key,
        generation: place.generation,
        attempt: place.attempt,
        agent_policy: agent_policy.and_then(|policy| policy.get()),
        outcome,
    }
}
