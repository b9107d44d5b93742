//! Runs whose workers died, and that have made no progress since, are claimed by name and few at a time.
//!
//! One of them may be what kills workers, and whoever is with it then counts a death as well: were they
//! claimed like others, one bad run would have all of its neighbours fail as poisoned with it. So of those that one
//! worker died with, a worker takes as many as half of its slots; of those that more died with, one. A
//! step that comes to its end clears its run, so most of them pass through in a moment.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::desk::{CLAIM_TIMEOUT, Desk};
use crate::Error;
use crate::link::timed_out;

/// How long suspects may go unseen while none is known to wait: as a rule there is none.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The part of the slots that those may take that one worker died with.
const SHARE: usize = 2;
/// Runs that more than one worker died with, in one worker's hands.
const ALONE: usize = 1;

/// Returns how many more a worker may take of those that one worker died with, and of those that more did, beside
/// those that it has.
pub(crate) fn room(slots: usize, (once, often): (usize, usize)) -> (usize, usize) {
    let once = slots.div_ceil(SHARE).saturating_sub(once);
    (once, ALONE.saturating_sub(often))
}

/// What is known of a queue's suspects that wait.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    looked_at: Option<Instant>,
    /// As many were found as there was room for: there may be more.
    more: bool,
}

impl Suspects {
    fn is_due(&self, now: Instant) -> bool {
        let looked = self.looked_at;
        self.more || looked.is_none_or(|at| now.duration_since(at) >= LOOK_EVERY)
    }
}

impl Desk {
    /// Whether some may wait for others to be cleared.
    pub(super) fn suspects_wait(&self) -> bool {
        self.suspects.iter().any(|suspects| suspects.more)
    }

    /// Returns up to `most` suspects of the queue at this place that this worker may claim now.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) async fn look_for_suspects(
        &mut self,
        n: usize,
        most: usize,
    ) -> Result<Vec<Uuid>, Error> {
        let now = Instant::now();
        self.suspects
            .resize_with(self.queues.len(), Suspects::default);
        let (Some((queue, _)), Some(suspects)) = (self.queues.get(n), self.suspects.get_mut(n))
        else {
            return Ok(Vec::new());
        };
        if !suspects.is_due(now) {
            return Ok(Vec::new());
        }
        let (once, often) = room(self.slots, self.life.held.suspects());
        let once = once.min(most);
        if once + often == 0 {
            return Ok(Vec::new());
        }
        let limit = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (once_most, often_most) = (limit(once), limit(often));
        let connection = self.link.get().await?;
        let found =
            sqlx::query_file_scalar!("queries/suspects.sql", &**queue, once_most, often_most)
                .fetch_all(connection);
        let found = tokio::time::timeout(CLAIM_TIMEOUT, found)
            .await
            .map_err(|_| Error::Unavailable(timed_out("a look for suspects")))??;
        let found: Vec<_> = found.into_iter().flatten().collect();
        *suspects = Suspects {
            looked_at: Some(now),
            more: found.len() >= once + often,
        };
        Ok(found)
    }
}
