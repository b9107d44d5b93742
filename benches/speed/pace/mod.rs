//! Runs come in one at a time while a worker drains them: as many as it takes, or at a steady rate.
//!
//! The steady rate is an open loop: who comes next does not wait for the one before, as clients that
//! do not know of each other. So a worker that stands still for a second shows as a second of delay
//! for all who came meanwhile, and not as one slow sample.

pub(crate) mod arrivals;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stepwell::queue::NewRun;
use uuid::Uuid;

use crate::door::Door;
use crate::notes::{between, is_noted, now};
use crate::scene::{PATIENCE, Scene, Worker};
use arrivals::Arrivals;

/// Runs that are in the system at once when the most is looked for: two full loads of a worker.
const IN_FLIGHT: usize = 2_000;
/// Before the most is measured, so that caches are warm.
const WARM_UP: Duration = Duration::from_secs(1);
/// Between two looks at who is to come: the finest that the clock of the runtime has.
const TICK: Duration = Duration::from_millis(1);
/// Samples of the latency in a second; more would cost what is measured.
const NOTED_PER_SECOND: f64 = 500.0;

/// The runs per second that come through when there is always one more.
pub(crate) async fn maximum(scene: &Scene, door: &Door, time: Duration) -> f64 {
    let worker = Worker::start(scene, 0).await;
    let mut entrance = Entrance::new(door);
    let began = Instant::now();
    let mut warm = None;
    while began.elapsed() < WARM_UP + time {
        let in_flight = entrance.issued.saturating_sub(worker.calls());
        for _ in 0..IN_FLIGHT.saturating_sub(in_flight) {
            entrance.enter(door.new_run());
        }
        if warm.is_none() && began.elapsed() > WARM_UP {
            warm = Some((Instant::now(), worker.calls()));
        }
        tokio::time::sleep(TICK).await;
    }
    let (since, calls) = warm.expect("the time is longer than the warm-up");
    let rate = (worker.calls() - calls) as f64 / since.elapsed().as_secs_f64();
    entrance.empty(scene, &worker).await;
    worker.end().await;
    rate
}

/// What came of a steady load.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) written: usize,
    /// There was no room for these.
    pub(crate) refused: usize,
}

/// A stretch of it.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// Counted from the load's begin.
    pub(crate) ends: Duration,
    /// Runs whose step was called, per second.
    pub(crate) rate: f64,
    /// From the call of the enqueue to the step's first line, of a sample of the runs.
    pub(crate) latencies_ms: Vec<f64>,
}

/// Loads a worker at this rate for so many stretches of this length. The worker is to note one run
/// in [`every`].
pub(crate) async fn steady(
    scene: &Scene,
    door: &Door,
    worker: Worker,
    rate: f64,
    (count, length): (u32, Duration),
) -> Load {
    let every = every(rate);
    let mut arrivals = Arrivals::new(rate, rand::rng());
    let mut entrance = Entrance::new(door);
    let (mut noted, mut stretches) = (Vec::new(), Vec::new());
    let (began, began_nanos) = (Instant::now(), now());
    let (mut calls, mut looked) = (worker.calls(), began);
    for stretch in 1..=count {
        let ends = length * stretch;
        while began.elapsed() < ends {
            for _ in 0..arrivals.due(began.elapsed()) {
                let run = door.new_run();
                if is_noted(run.id, every) {
                    noted.push((run.id, now()));
                }
                entrance.enter(run);
            }
            tokio::time::sleep(TICK).await;
        }
        let (seen, at) = (worker.calls(), Instant::now());
        stretches.push(Stretch {
            ends,
            rate: (seen - calls) as f64 / (at - looked).as_secs_f64(),
            latencies_ms: Vec::new(),
        });
        (calls, looked) = (seen, at);
    }
    let (written, refused) = entrance.empty(scene, &worker).await;
    for (at, latency) in between(&noted, &worker.end().await) {
        let place = at.saturating_sub(began_nanos) / length.as_nanos();
        let last = stretches.len() - 1;
        let place = usize::try_from(place).map_or(last, |place| place.min(last));
        stretches[place].latencies_ms.push(latency);
    }
    Load {
        stretches,
        written,
        refused,
    }
}

/// One run in so many is noted at this rate.
pub(crate) fn every(rate: f64) -> u32 {
    (rate / NOTED_PER_SECOND).ceil().max(1.0) as u32
}

/// Where runs come in, each by itself.
struct Entrance<'a> {
    door: &'a Door,
    /// All that come in have larger ids.
    first: Uuid,
    issued: usize,
    written: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
}

impl<'a> Entrance<'a> {
    fn new(door: &'a Door) -> Self {
        Self {
            door,
            first: Uuid::now_v7(),
            issued: 0,
            written: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// Does not wait.
    fn enter(&mut self, run: NewRun) {
        let door = self.door.clone();
        let (written, refused) = (Arc::clone(&self.written), Arc::clone(&self.refused));
        self.issued += 1;
        tokio::spawn(async move {
            let counter = if door.try_enqueue(run).await {
                written
            } else {
                refused
            };
            counter.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Waits until all that came in is done; gives how many were written and how many refused.
    async fn empty(self, scene: &Scene, worker: &Worker) -> (usize, usize) {
        let deadline = Instant::now() + PATIENCE;
        let counts = || {
            let written = self.written.load(Ordering::Relaxed);
            (written, self.refused.load(Ordering::Relaxed))
        };
        while counts().0 + counts().1 < self.issued {
            assert!(Instant::now() < deadline, "an enqueue failed or hangs");
            tokio::time::sleep(TICK).await;
        }
        Worker::reach(std::slice::from_ref(worker), counts().0).await;
        scene.drained(self.first).await;
        counts()
    }
}
