//! Drives one run while its job is held: events in, `advance` decides, the committer writes, and
//! then, not before, what was decided is done.
//!
//! Whatever is ready is taken in before anything is committed, so a map whose items end together
//! costs few commits. A run that has nothing to do now is let go of and costs no memory. When the
//! committer says that the run is no longer ours, everything is dropped where it stands.

mod children;
mod effects;
mod elsewhere;
mod ending;
mod flights;
mod inbox;
mod outright;
mod parting;
mod place;
mod settling;
mod taking;
mod thinking;
mod undone;
mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use stepwell_queue::Claimed;
use stepwell_queue::workflow::PlannedVersion;
use stepwell_workflow::{BlockedOn, Event, Plan, RunState, WantedChild};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::context::{Context, Gone};
use super::steps::Origin;
use flights::{Flights, Landed};
use settling::{Sent, Settled};
use undone::Undone;

/// How long an attempt is in flight before it is shown as running, and a run before its start is
/// shown: most are over by then, and cost one row write instead of two.
pub(crate) const LINGER: Duration = Duration::from_millis(100);
/// A run whose next timer is nearer than this stays in memory: letting go and claiming again
/// costs more.
const NEAR: Duration = Duration::from_millis(20);
/// How long a driver goes without looking at its inbox: within it, most runs are over and never
/// need to watch at all.
const UNWATCHED_MAX: Duration = Duration::from_millis(100);
/// Step rows after which a commit is made though more could be decided first: beyond it a commit
/// gains nothing from being larger, and others wait for it.
const ROWS_PER_COMMIT: usize = 2_000;
/// Timers in a row that may come to nothing before the run is held to be stuck.
const IDLE_TICKS_MAX: u32 = 10;

/// A run in the hands of this worker.
pub(crate) struct Driver {
    context: Arc<Context>,
    plan: Arc<Plan>,
    state: RunState,
    queue: Arc<str>,
    origin: Arc<Origin>,
    flights: Flights,
    landed: VecDeque<Landed>,
    undone: Undone,
    /// Children that steps ask for; each is answered before the next commit.
    wanted: VecDeque<WantedChild>,
    /// Agents whose calls were aborted; they are told once the run is over.
    aborted: Vec<Arc<str>>,
    /// The number of the last record that is committed.
    committed: i64,
    /// Whether the job row says when this generation started.
    start_stored: bool,
    begun: Instant,
    inbox: Option<mpsc::Receiver<()>>,
    idle_ticks: u32,
    /// What keeps the run from beginning: its place under a concurrency key.
    held_back: Option<BlockedOn>,
    /// The deaths that the run has yet to hear of with its beginning. `None`: it has begun here.
    deaths: Option<u16>,
    /// Whether its last worker died, and it has made no progress since.
    suspect: bool,
    /// Whether no driver has begun it in this generation.
    unbegun: bool,
    /// Whether more is ready than one call of `advance` decides.
    more: bool,
    /// Whether that takes more than may be done in between other work.
    apart: bool,
    /// What its expressions have taken since others last had the thread.
    spent: u64,
}

/// Drives a run until its end is on its way, it waits for something far, or it is no longer ours. `counted` is
/// kept until nothing more is to be done for it.
pub(crate) async fn drive(context: Arc<Context>, claimed: Claimed, counted: TaskTrackerToken) {
    let active = context.metrics.run_taken();
    let driving = context.worker.driving(claimed.header.id);
    let dropped = context.stages.dropped.clone();
    let held = tokio::select! {
        biased;
        held = taking::hold(context, claimed) => held,
        () = dropped.cancelled() => Err(Gone),
    };
    match held {
        Ok(None) => {}
        Ok(Some(parting)) => parting.see_off(active, driving, counted),
        Err(Gone) => say_dropped(),
    }
}

fn say_dropped() {
    tracing::warn!("dropped the run: this worker no longer owns it");
}

impl Driver {
    fn new(
        context: Arc<Context>,
        version: PlannedVersion,
        claimed: Claimed,
        held_back: Option<BlockedOn>,
    ) -> Self {
        let header = claimed.header;
        let origin = Origin::new(
            header.id,
            Arc::clone(&header.workflow_name),
            claimed.request_id,
            claimed.traceparent.as_deref(),
        );
        let committed = header.sequence;
        let start_stored = header.started_at.is_some();
        let unbegun = !start_stored && claimed.steps.is_empty();
        let state = RunState::restore(&version.plan, header, claimed.steps);
        let mut driver = Self {
            context,
            plan: version.plan,
            state,
            queue: claimed.queue,
            origin: Arc::new(origin),
            flights: Flights::default(),
            landed: VecDeque::new(),
            undone: Undone::default(),
            wanted: VecDeque::new(),
            aborted: Vec::new(),
            committed,
            start_stored,
            begun: Instant::now(),
            inbox: None,
            idle_ticks: 0,
            held_back,
            deaths: Some(claimed.deaths),
            suspect: claimed.deaths > 0,
            unbegun,
            more: false,
            apart: false,
            spent: 0,
        };
        driver.open(claimed.messages);
        driver
    }

    /// Takes in what was there when the run was claimed.
    fn open(&mut self, messages: Vec<stepwell_queue::Message>) {
        let (before, after): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(inbox::comes_before_begin);
        self.state.draining = self.context.stages.drain.is_cancelled();
        for message in before {
            self.hear(message);
        }
        self.begin();
        if self.deaths.is_some() {
            // It rests from now on.
            self.take_in(Event::Tick);
        }
        for message in after {
            self.hear(message);
        }
    }

    /// Lets the run begin, unless something keeps it from that: a run that was paused before its
    /// first step has not begun at all.
    fn begin(&mut self) {
        let paused = self.unbegun && self.state.header.paused;
        if self.held_back.is_none()
            && !paused
            && let Some(deaths) = self.deaths.take()
        {
            self.take_in(Event::Begin { deaths });
        }
    }

    /// Returns its last commit, unless that was waited for.
    async fn run(&mut self) -> Result<Option<Sent>, Gone> {
        loop {
            self.state.draining |= self.context.stages.drain.is_cancelled();
            if self.was_poked() {
                self.read_inbox().await;
            }
            while let Some(landed) = self.next_landed() {
                self.take_in(Event::Outcome {
                    key: landed.key,
                    attempt: landed.attempt,
                    agent_policy: landed.agent_policy,
                    outcome: landed.outcome,
                });
            }
            self.decide_the_rest().await;
            match self.settle().await? {
                Settled::GoesOn => {}
                Settled::Ended => return Ok(None),
                Settled::Ending(last) => return Ok(Some(last)),
            }
            if self.idle_ticks > IDLE_TICKS_MAX {
                Box::pin(self.stuck()).await?;
                return Ok(None);
            }
            if !self.has_more_to_do() {
                self.wait().await;
            }
        }
    }

    /// Says whether there is something to do before anything else happens. A worker that stops
    /// lets go of a run of which nothing is in flight.
    fn has_more_to_do(&self) -> bool {
        let lets_go = self.state.draining && self.state.in_flight() == 0;
        self.more || lets_go || !self.landed.is_empty() || !self.wanted.is_empty()
    }

    fn next_landed(&mut self) -> Option<Landed> {
        self.landed.pop_front().or_else(|| self.flights.try_next())
    }

    /// Takes in a message; it is consumed by the next commit.
    fn hear(&mut self, message: stepwell_queue::Message) {
        self.undone.consumed.push(message.id);
        self.undone.must = true;
        if let Some(event) = inbox::event_of(message) {
            self.take_in(event);
        }
    }
}
