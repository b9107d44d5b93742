//! When the next claim is worth while: slots are free, and something says that there may be work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::desk::Desk;
use crate::listen::Hint;
use crate::queues;

/// With a backlog, one in so many slots must be free before the next claim: a claim of many jobs
/// costs little more than a claim of one.
const CLAIM_SHARE: usize = 8;
/// How long a free slot waits for others to join it: longer than a commit that frees slots takes.
const CLAIM_PATIENCE: Duration = Duration::from_millis(5);
/// One run to so many slots may be leaving, its end being committed, without taking one. All of them would gain
/// nothing more, and each is held in memory.
const LEAVING_SHARE: usize = 2;

impl Desk {
    /// Waits until a claim is worth while, and returns the number of free slots, those that soon will be
    /// included. Never returns once this worker drains.
    pub(super) async fn room(&mut self, backlog: bool) -> usize {
        let life = Arc::clone(&self.life);
        if life.draining.is_cancelled() {
            std::future::pending::<()>().await;
        }
        let enough = if backlog {
            (self.slots / CLAIM_SHARE).max(1)
        } else {
            1
        };
        let mut patience = std::pin::pin!(tokio::time::sleep(CLAIM_PATIENCE));
        loop {
            let ahead = self.ahead.room(Instant::now(), life.come_through());
            let slots = self.slots + if backlog { ahead } else { 0 };
            let leaving = self.slots.div_ceil(LEAVING_SHARE);
            let free = slots.saturating_sub(life.held.in_slots(leaving));
            if free >= enough || (free > 0 && patience.is_elapsed()) {
                return free;
            }
            tokio::select! {
                () = life.freed.notified() => {}
                () = &mut patience, if !patience.is_elapsed() => {}
            }
        }
    }

    /// Waits for a hint that one of our queues has work.
    pub(super) async fn called(&mut self) {
        loop {
            match self.hints.recv().await {
                Ok(Hint::Work { queue }) if self.queues.iter().any(|(q, _)| **q == *queue) => {
                    return;
                }
                // A queue that is resumed has work, and a limit that is raised makes room.
                Ok(Hint::Changed { entity, .. }) if entity == queues::ENTITY => {
                    self.rules.forget();
                    return;
                }
                Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => {
                    self.doubt_floors();
                    return;
                }
                Ok(_) => {}
                // The store is closed.
                Err(RecvError::Closed) => std::future::pending::<()>().await,
            }
        }
    }

    /// What was heard up to now, the next claim sees anyway.
    pub(super) fn forget_hints(&mut self) {
        loop {
            match self.hints.try_recv() {
                Ok(Hint::Changed { entity, .. }) if entity == queues::ENTITY => self.rules.forget(),
                Ok(Hint::Lagged) | Err(TryRecvError::Lagged(_)) => self.doubt_floors(),
                Ok(_) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn doubt_floors(&mut self) {
        self.rules.forget();
        for (_, pace) in &mut self.queues {
            pace.doubt();
        }
    }
}
