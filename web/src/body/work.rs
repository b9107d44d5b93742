//! The body of the request in work, and the share of the server's memory that it takes. It is let go of
//! before a long wait: whoever waits a minute for a run's end does not hold its input for as long.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::admission::{Party, Pool, Share, busy, kib};
use crate::problem::Problem;

/// How long a body waits for others to be done with: no longer than a client would for an answer.
const ROOM_WAIT: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The request that this task works on.
    pub(crate) static WORK: Work;
}

/// What is held of a body.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    party: Party,
    pool: Arc<Pool>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    share: Option<Share>,
    bytes: Option<Bytes>,
}

impl Work {
    /// Begins the work on a request of this party, whose body comes out of this pool.
    pub(crate) fn new(party: Party, pool: Arc<Pool>) -> Self {
        Self {
            party,
            pool,
            held: Arc::default(),
        }
    }

    /// Makes room for so many bytes, before they are read; waits while there is none.
    ///
    /// # Errors
    /// 503 when none came in time.
    pub(crate) async fn room(&self, bytes: usize) -> Result<(), Problem> {
        let taken = self.pool.wait(&self.party, kib(bytes), ROOM_WAIT).await;
        self.held().share = Some(taken.ok_or_else(busy)?);
        Ok(())
    }

    /// Makes the room as large as what came of it; waits while there is not as much.
    ///
    /// # Errors
    /// 503 when none came in time.
    pub(crate) async fn grow(&self, kib: usize) -> Result<(), Problem> {
        let missing = self
            .held()
            .share
            .as_ref()
            .map_or(kib, |share| share.missing(kib));
        if missing > 0 {
            let taken = self.pool.wait(&self.party, missing, ROOM_WAIT).await;
            let taken = taken.ok_or_else(busy)?;
            let mut held = self.held();
            match &mut held.share {
                Some(share) => share.join(taken),
                None => held.share = Some(taken),
            }
        }
        Ok(())
    }

    /// As [`Work::grow`], without waiting.
    ///
    /// # Errors
    /// 503 when there is not as much.
    pub(crate) fn grow_now(&self, kib: usize) -> Result<(), Problem> {
        let mut held = self.held();
        let share = match held.share.take() {
            Some(mut share) => share.grow(kib).then_some(share),
            None => self.pool.take(&self.party, kib),
        };
        held.share = Some(share.ok_or_else(busy)?);
        Ok(())
    }

    /// Returns the body, when it was read.
    pub(crate) fn bytes(&self) -> Option<Bytes> {
        self.held().bytes.clone()
    }

    /// Keeps the body, for whoever reads it again.
    pub(crate) fn keep(&self, bytes: Bytes) {
        self.held().bytes = Some(bytes);
    }

    /// Lets go of everything.
    pub(crate) fn let_go(&self) {
        *self.held() = Held::default();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets go of the body of the request in work: it was read, and nobody needs it any more.
pub(crate) fn let_go() {
    let _ = WORK.try_with(Work::let_go);
}
