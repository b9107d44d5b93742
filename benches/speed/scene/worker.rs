//! A worker process, from its parent's side; `crate::worker` is the other side.

use std::process::Stdio;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{PATIENCE, Scene};
use crate::meter::process::Spent;
use crate::notes::Noted;

/// A worker process.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    started: Instant,
    calls: watch::Receiver<usize>,
    listening: JoinHandle<Noted>,
    /// What it had used when it began.
    start: Spent,
}

impl Worker {
    /// Starts one and waits until it begins. It notes the calls of one run in `every`; of none
    /// when that is 0.
    pub(crate) async fn start(scene: &Scene, every: u32) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["worker", &every.to_string()])
            .env("DATABASE_URL", &scene.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (calls_in, calls) = watch::channel(0);
        let (start, begins) = oneshot::channel();
        let listening = tokio::spawn(listen(output, start, calls_in));
        let started = tokio::time::timeout(PATIENCE, begins)
            .await
            .expect("the worker begins")
            .expect("the worker does not end before it begins");
        let start = Spent::of(child.id().expect("it runs"));
        Self {
            child,
            started,
            calls,
            listening,
            start,
        }
    }

    /// Several at once.
    pub(crate) async fn start_all(scene: &Scene, count: usize) -> Vec<Self> {
        futures::future::join_all((0..count).map(|_| Self::start(scene, 0))).await
    }

    /// When it began.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// How often its function was called so far; told every few milliseconds.
    pub(crate) fn calls(&self) -> usize {
        *self.calls.borrow()
    }

    /// What it used since it began.
    pub(crate) fn spent(&self) -> Spent {
        Spent::of(self.child.id().expect("it runs")).since(self.start)
    }

    /// Waits until all of these together have made so many calls.
    pub(crate) async fn reach(workers: &[Self], calls: usize) {
        let deadline = Instant::now() + PATIENCE;
        while workers.iter().map(Self::calls).sum::<usize>() < calls {
            assert!(Instant::now() < deadline, "the workers do not get on");
            let ended = workers.iter().any(|worker| worker.listening.is_finished());
            assert!(!ended, "a worker ended before its work was done");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// Lets it end, and gives the calls that it noted.
    pub(crate) async fn end(mut self) -> Noted {
        drop(self.child.stdin.take());
        let called = self.listening.await.unwrap();
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "the worker ended badly");
        called
    }
}

async fn listen(
    output: ChildStdout,
    start: oneshot::Sender<Instant>,
    calls: watch::Sender<usize>,
) -> Noted {
    let mut start = Some(start);
    let mut called = Noted::new();
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("start"), None, None) => {
                let _ = start.take().map(|start| start.send(Instant::now()));
            }
            (Some("calls"), Some(count), None) => {
                calls.send_replace(count.parse().unwrap());
            }
            (Some("called"), Some(run), Some(at)) => {
                let at = at.parse().unwrap();
                // A step may be called again; the first one counts.
                called.entry(run.parse().unwrap()).or_insert(at);
            }
            _ => panic!("the worker says {line:?}"),
        }
    }
    called
}
