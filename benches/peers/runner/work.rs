//! The worker of the runner: in this process, with a function that does nothing.

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stepwell::queue::Store;
use stepwell::worker::{Runtime, TaskCall};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::protocol::{emit, mono, result};
use super::{STEPS, store};
use crate::scene::PATIENCE;

/// How often the count is told, as the harness wants it.
const TELL_EVERY: Duration = Duration::from_millis(20);
/// Until an idle worker is one that has been there for a while; the other runners wait as long.
const SETTLED: Duration = Duration::from_millis(1_000);

/// A worker and what it saw.
#[derive(Debug)]
pub(super) struct Crew {
    stop: CancellationToken,
    running: JoinHandle<()>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Runs whose last step was called.
    done: AtomicU64,
    first: OnceLock<f64>,
    /// When the last step of each run was called, if that is wanted.
    at: Option<Mutex<HashMap<Uuid, f64>>>,
}

impl Crew {
    /// Begins to work; notes moments if that is wanted.
    fn begin(store: Store, last_step: &str, notes: bool) -> Self {
        let seen = Arc::new(Seen {
            at: notes.then(Mutex::default),
            ..Seen::default()
        });
        let (sees, last) = (Arc::clone(&seen), last_step.to_owned());
        let task = move |call: TaskCall| {
            sees.first.get_or_init(mono);
            if call.step == last {
                sees.done.fetch_add(1, Ordering::Relaxed);
                if let Some(at) = &sees.at {
                    at.lock().unwrap().entry(call.run_id).or_insert_with(mono);
                }
            }
            async { Ok(Value::Null) }
        };
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let runtime = Runtime::builder(store).task("noop", task).build().unwrap();
        let running = tokio::spawn(async move { runtime.run(stopping).await.unwrap() });
        Self {
            stop,
            running,
            seen,
        }
    }

    /// An idle worker that notes when the last step of each run is called.
    pub(super) async fn idle(last_step: &str) -> Self {
        let crew = Self::begin(store(), last_step, true);
        tokio::time::sleep(SETTLED).await;
        crew
    }

    /// Waits until the last steps of so many runs were called.
    pub(super) async fn reach(&self, runs: usize) {
        let deadline = Instant::now() + PATIENCE;
        while (self.seen.done.load(Ordering::Relaxed) as usize) < runs {
            assert!(Instant::now() < deadline, "the worker does not get on");
            tokio::time::sleep(TELL_EVERY).await;
        }
    }

    /// Lets it end; gives what it noted.
    pub(super) async fn end(self) -> HashMap<Uuid, f64> {
        self.stop.cancel();
        self.running.await.unwrap();
        let at = self.seen.at.as_ref();
        at.map(|at| std::mem::take(&mut *at.lock().unwrap()))
            .unwrap_or_default()
    }
}

/// Works until standard input ends, and tells how far it is.
pub(super) async fn until_told(kind: &str) {
    let last = if kind == "wf" { STEPS } else { 1 };
    let store = store();
    // As with most of the other runners: the pool is connected, then the worker is started.
    store.ping().await.unwrap();
    emit(&json!({"ev": "start", "t": mono()}));
    let crew = Crew::begin(store, &format!("s{last}"), false);
    let seen = Arc::clone(&crew.seen);
    std::thread::spawn({
        let seen = Arc::clone(&seen);
        move || tell(&seen)
    });
    let read = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(read).await.unwrap().unwrap();
    crew.end().await;
    let done = seen.done.load(Ordering::Relaxed);
    emit(&result(json!({"n": done, "first": seen.first.get()}), None));
    // Its thread may be about to tell once more.
    std::process::exit(0);
}

fn tell(seen: &Seen) {
    let mut told = 0;
    loop {
        std::thread::sleep(TELL_EVERY);
        let done = seen.done.load(Ordering::Relaxed);
        if done != told {
            told = done;
            emit(&json!({"ev": "c", "n": done}));
        }
    }
}
