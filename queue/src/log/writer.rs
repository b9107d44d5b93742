//! Lines of this process on their way to the database: gathered for a moment, then written together.
//! Nobody waits for them, and a process that is killed loses what it had gathered.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::Line;
use super::insert::LINES_PER_STATEMENT;
use crate::backoff::Backoff;
use crate::{Error, Store};

/// Lines that wait at most: while the database is away, newer ones are dropped.
const WAITING_MAX: usize = 10_000;
/// How long lines gather: short for a person who follows a log, long enough for a full statement.
const GATHER: Duration = Duration::from_millis(100);

/// The lines that wait, and the task that writes them; it starts with the first line.
#[derive(Debug)]
pub(crate) struct Writer {
    waiting: Mutex<Waiting>,
    came: Notify,
    started: OnceLock<()>,
    /// So many lines are out of the way: written, or refused.
    done: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<Line>,
    /// Lines that came, those that were dropped not among them.
    taken: u64,
    dropped: u64,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            came: Notify::new(),
            started: OnceLock::new(),
            done: watch::Sender::new(0),
        }
    }
}

impl Store {
    /// Takes a line to be kept soon. Never waits; when far too many wait, the line is dropped.
    pub fn log(&self, line: Line) {
        {
            let mut waiting = self.log.lock();
            if waiting.lines.len() >= WAITING_MAX {
                waiting.dropped += 1;
                return;
            }
            waiting.taken += 1;
            waiting.lines.push(line);
        }
        self.log.came.notify_one();
        self.log.started.get_or_init(|| {
            tokio::spawn(run(self.clone()));
        });
    }

    /// Returns when every line that was taken so far is written.
    pub async fn flush_logs(&self) {
        let taken = self.log.lock().taken;
        let mut done = self.log.done.subscribe();
        // The sender lives as long as the store.
        let _ = done.wait_for(|done| *done >= taken).await;
    }
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A list is whole between any two calls.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(store: Store) {
    let writer = Arc::clone(&store.log);
    let mut backoff = Backoff::new();
    loop {
        tokio::select! {
            () = store.desk.closing.cancelled() => return,
            () = writer.came.notified() => {}
        }
        tokio::time::sleep(GATHER).await;
        let (lines, dropped) = {
            let mut waiting = writer.lock();
            (
                std::mem::take(&mut waiting.lines),
                std::mem::take(&mut waiting.dropped),
            )
        };
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "lines of steps' logs came faster than they could be written"
            );
        }
        for lines in lines.chunks(LINES_PER_STATEMENT) {
            while let Err(error) = store.write_lines(lines).await {
                if !matches!(error, Error::Unavailable(_)) {
                    tracing::warn!(%error, lines = lines.len(), "lines of steps' logs were refused");
                    break;
                }
                tracing::debug!(%error, "lines of steps' logs wait for the database");
                tokio::select! {
                    () = store.desk.closing.cancelled() => return,
                    () = backoff.wait() => {}
                }
            }
            backoff.reset();
            let written = u64::try_from(lines.len()).unwrap_or(0);
            writer.done.send_modify(|done| *done += written);
        }
    }
}
