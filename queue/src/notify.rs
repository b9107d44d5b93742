//! Sends hints to other processes, on a connection of its own and outside every transaction that
//! matters (D6). Whatever is posted while one statement is in flight goes into the next.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::counters::Counters;
use crate::detached::PutUpOn;
use crate::link::Link;
use crate::listen::{CHANNEL, Hint};

/// Ids in one payload: Postgres takes less than 8,000 bytes, an id and its comma are 37.
const IDS_PER_PAYLOAD: usize = 200;
/// Ids kept while the database is away: whoever misses one finds it by polling.
const IDS_WAITING_MAX: usize = 20_000;
/// Between two statements: at full load this bounds NOTIFY to a few hundred a second, and nobody
/// idle waits for it, as the first is sent at once.
const GAP: Duration = Duration::from_millis(2);
/// A hint that takes longer is of no use.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// What waits to be sent. Sets: the same word twice is one.
#[derive(Debug, Default)]
struct Outbox {
    queues: BTreeSet<String>,
    inboxes: BTreeSet<Uuid>,
    ended: BTreeSet<Uuid>,
    changed: BTreeSet<(String, Uuid)>,
    put_up: BTreeSet<(PutUpOn, String)>,
    watching: BTreeSet<Uuid>,
    moved: BTreeSet<Uuid>,
    /// Said of everything and not of single runs.
    watching_all: bool,
    moved_any: bool,
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.queues.is_empty()
            && self.inboxes.is_empty()
            && self.ended.is_empty()
            && self.changed.is_empty()
            && self.put_up.is_empty()
            && self.watching.is_empty()
            && self.moved.is_empty()
            && !self.watching_all
            && !self.moved_any
    }

    fn put(&mut self, hint: &Hint) {
        let keep = |set: &mut BTreeSet<Uuid>, ids: &[Uuid]| {
            let room = IDS_WAITING_MAX.saturating_sub(set.len());
            set.extend(ids.iter().take(room));
        };
        match hint {
            Hint::Work { queue } => {
                self.queues.insert(queue.clone());
            }
            Hint::Inbox { run_ids } => keep(&mut self.inboxes, run_ids),
            Hint::Ended { run_ids } => keep(&mut self.ended, run_ids),
            Hint::Changed { entity, id } => {
                self.changed.insert((entity.clone(), *id));
            }
            Hint::PutUp { kind, lane } => {
                self.put_up.insert((*kind, lane.clone()));
            }
            Hint::Watching { run_ids } if run_ids.is_empty() => self.watching_all = true,
            Hint::Watching { run_ids } => keep(&mut self.watching, run_ids),
            Hint::Moved { run_ids } if run_ids.is_empty() => self.moved_any = true,
            Hint::Moved { run_ids } => keep(&mut self.moved, run_ids),
            Hint::Lagged => {}
        }
    }

    /// Returns the payloads that say all of this.
    fn payloads(self) -> Vec<String> {
        let chunked = |ids: BTreeSet<Uuid>, hint: fn(Vec<Uuid>) -> Hint| {
            let ids: Vec<_> = ids.into_iter().collect();
            ids.chunks(IDS_PER_PAYLOAD)
                .map(|chunk| hint(chunk.to_vec()))
                .collect::<Vec<_>>()
        };
        let queues = self.queues.into_iter().map(|queue| Hint::Work { queue });
        let changed = self
            .changed
            .into_iter()
            .map(|(entity, id)| Hint::Changed { entity, id });
        let put_up = self
            .put_up
            .into_iter()
            .map(|(kind, lane)| Hint::PutUp { kind, lane });
        let all = |said: bool, hint: fn(Vec<Uuid>) -> Hint| said.then(|| hint(Vec::new()));
        queues
            .chain(changed)
            .chain(put_up)
            .chain(all(self.watching_all, |run_ids| Hint::Watching { run_ids }))
            .chain(all(self.moved_any, |run_ids| Hint::Moved { run_ids }))
            .chain(chunked(self.watching, |run_ids| Hint::Watching { run_ids }))
            .chain(chunked(self.moved, |run_ids| Hint::Moved { run_ids }))
            .chain(chunked(self.inboxes, |run_ids| Hint::Inbox { run_ids }))
            .chain(chunked(self.ended, |run_ids| Hint::Ended { run_ids }))
            .filter_map(|hint| hint.to_payload())
            .collect()
    }
}

/// The handle: anyone posts, one task sends.
#[derive(Debug)]
pub(crate) struct Notifier {
    shared: Arc<Shared>,
    started: OnceLock<()>,
}

#[derive(Debug)]
struct Shared {
    options: PgConnectOptions,
    outbox: Mutex<Outbox>,
    posted: Notify,
    closing: CancellationToken,
    enabled: bool,
    counters: Arc<Counters>,
    /// The server process behind the connection: what it says need not be heard here.
    process_id: AtomicI32,
}

impl Notifier {
    pub(crate) fn new(
        options: PgConnectOptions,
        enabled: bool,
        counters: Arc<Counters>,
        closing: CancellationToken,
    ) -> Self {
        let shared = Shared {
            // A hint need not be durable: its commit does not wait for the disk.
            options: options.options([("synchronous_commit", "off")]),
            outbox: Mutex::default(),
            posted: Notify::new(),
            closing,
            enabled,
            counters,
            process_id: AtomicI32::new(0),
        };
        Self {
            shared: Arc::new(shared),
            started: OnceLock::new(),
        }
    }

    /// Says whether a notification came from this process.
    pub(crate) fn is_own(&self, process_id: u32) -> bool {
        i32::try_from(process_id) == Ok(self.shared.process_id.load(Ordering::Relaxed))
    }

    /// Takes a hint to be sent soon. Never waits.
    pub(crate) fn post(&self, hint: &Hint) {
        if !self.shared.enabled {
            return;
        }
        lock(&self.shared.outbox).put(hint);
        self.shared.posted.notify_one();
        self.started.get_or_init(|| {
            tokio::spawn(Arc::clone(&self.shared).run());
        });
    }
}

impl Shared {
    async fn run(self: Arc<Self>) {
        let mut link = Link::new(self.options.clone());
        let mut backoff = Backoff::new();
        loop {
            tokio::select! {
                () = self.closing.cancelled() => break,
                () = self.posted.notified() => {}
            }
            let outbox = std::mem::take(&mut *lock(&self.outbox));
            if outbox.is_empty() {
                continue;
            }
            let payloads = outbox.payloads();
            let sent = tokio::time::timeout(SEND_TIMEOUT, send(&mut link, &payloads)).await;
            if let Ok(Ok(process_id)) = sent {
                self.process_id.store(process_id, Ordering::Relaxed);
                self.counters.notifies.add(1);
                backoff.reset();
                tokio::time::sleep(GAP).await;
            } else {
                // What was in hand is lost, as any hint may be: polling finds the same.
                link.forget();
                backoff.wait().await;
            }
        }
        link.close().await;
    }
}

/// Returns the id of the server process that said it.
async fn send(link: &mut Link, payloads: &[String]) -> Result<i32, crate::Error> {
    let row = sqlx::query!(
        r#"select pg_backend_pid() as "pid!", count(pg_notify($1, said)) as sent
           from unnest($2::text[]) as said"#,
        CHANNEL,
        payloads
    )
    .fetch_one(link.get().await?)
    .await?;
    Ok(row.pid)
}

fn lock(outbox: &Mutex<Outbox>) -> std::sync::MutexGuard<'_, Outbox> {
    // A set that a panicking thread touched is still a set.
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_word_is_said_once_and_long_lists_are_cut() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.put(&Hint::Work {
                queue: "default".into(),
            });
        }
        let run_ids: Vec<_> = (0..450).map(|_| crate::clock::id()).collect();
        outbox.put(&Hint::Ended { run_ids });
        let payloads = outbox.payloads();
        assert_eq!(payloads.len(), 1 + 3);
        assert!(payloads.iter().all(|said| said.len() < 8_000));
    }
}
