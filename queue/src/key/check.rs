//! Whose key is this? Answered from memory for most requests. Each process forgets at once what a
//! hint says has changed; without hints after a few seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Key, Standing, hash, read};
use crate::memory::Memory;
use crate::{Error, Store};

/// How long a key may be out of date where no hint comes through.
const FRESH: Duration = Duration::from_secs(5);
/// The least time between two looks at one that expires: the clocks of timers are coarse.
const MOMENT: Duration = Duration::from_millis(1);
/// Keys kept at once.
const KEPT_MAX: u64 = 10_000;
/// Between two notes that a key was used: a row is not written for every request.
const NOTE_EVERY_MS: i64 = 60_000;

/// The keys that this process has seen lately, by their hash.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    kept: Arc<Memory<[u8; 32], Arc<Known>>>,
    /// Told when all were forgotten, for those who rely on one for longer than a request.
    forgotten: watch::Sender<()>,
}

/// A key, and when a note was last made of its use: milliseconds since 1970.
#[derive(Debug)]
struct Known {
    key: Arc<Key>,
    noted_ms: AtomicI64,
}

impl Known {
    /// Says whether a note is due, to one of those who ask.
    fn is_note_due(&self, now_ms: i64) -> bool {
        let noted = self.noted_ms.load(Ordering::Relaxed);
        noted + NOTE_EVERY_MS <= now_ms
            && self
                .noted_ms
                .compare_exchange(noted, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

impl Default for Seen {
    fn default() -> Self {
        let kept = Cache::builder().max_capacity(KEPT_MAX).time_to_live(FRESH);
        Self {
            kept: Arc::new(Memory::new(kept.build())),
            forgotten: watch::Sender::default(),
        }
    }
}

impl Seen {
    /// Forgets all of them: keys change seldom.
    pub(crate) fn forget(&self) {
        self.kept.forget();
        self.forgotten.send_replace(());
    }
}

impl Store {
    /// Finds the key with this text, in whatever standing it is. A change is seen by its hint, at
    /// the latest after five seconds. That a good key was used is noted beside the request, at most
    /// once a minute.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn key_of(&self, text: &str) -> Result<Option<Arc<Key>>, Error> {
        self.heed_changes();
        let hash = hash(text);
        let known = self.keys.kept.get(hash, self.read_known(hash)).await?;
        Ok(known.map(|known| self.use_key(&known)))
    }

    /// The same without asking the database: `None` is no answer.
    pub async fn remembered_key(&self, text: &str) -> Option<Arc<Key>> {
        let known = self.keys.kept.peek(&hash(text)).await?;
        Some(self.use_key(&known))
    }

    /// Returns when the key with this text is revoked or has expired: at once where a hint tells, at
    /// the latest after a few seconds. While the database cannot be asked, a key stays what it was.
    pub async fn key_ended(&self, text: &str) {
        // Before it is read: what changes from here on is heard.
        let mut forgotten = self.keys.forgotten.subscribe();
        loop {
            let now = crate::clock::now();
            let expires_at = match self.key_of(text).await {
                Ok(Some(key)) if key.standing(now) == Standing::Good => key.expires_at,
                Ok(_) => return,
                Err(error) => {
                    tracing::debug!(%error, "a key could not be looked at again");
                    None
                }
            };
            let left = expires_at.and_then(|end| (end - now).to_std().ok());
            let wait = left.map_or(FRESH, |left| left.clamp(MOMENT, FRESH));
            let _ = tokio::time::timeout(wait, forgotten.changed()).await;
        }
    }

    fn use_key(&self, known: &Known) -> Arc<Key> {
        let now = crate::clock::now();
        if known.key.standing(now) == Standing::Good && known.is_note_due(now.timestamp_millis()) {
            let (store, id) = (self.clone(), known.key.id);
            tokio::spawn(async move {
                if let Err(error) = store.note_use(id).await {
                    tracing::debug!(%error, "the use of a key was not noted");
                }
            });
        }
        Arc::clone(&known.key)
    }

    async fn read_known(&self, hash: [u8; 32]) -> Result<Option<Arc<Known>>, Error> {
        let Some(key) = read::by_hash(self, hash).await? else {
            return Ok(None);
        };
        let noted_ms = key.last_used_at.map_or(0, |at| at.timestamp_millis());
        Ok(Some(Arc::new(Known {
            key: Arc::new(key),
            noted_ms: noted_ms.into(),
        })))
    }

    /// Several processes may come at once: one of them writes.
    async fn note_use(&self, id: Uuid) -> Result<(), Error> {
        sqlx::query!(
            "update stepwell.api_key set last_used_at = now()
             where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
            id
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
