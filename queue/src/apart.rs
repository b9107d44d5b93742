//! Work that takes the processor for long: done by few at a time, on threads that give their other
//! tasks away first.
//!
//! The threads of the runtime also carry the heartbeat, the probes and everybody else's requests. What
//! takes longer than a few milliseconds passes through an [`Apart`]: more of it at once would not be
//! sooner over, and would leave nothing of the cores to all other work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

/// Room for work that takes long.
#[derive(Debug)]
pub struct Apart {
    seats: Semaphore,
    /// So many may wait for a seat.
    waiting_max: usize,
    waiting: AtomicUsize,
}

/// Too much of such work is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

impl Apart {
    /// So many at a time, and so many that wait for their turn.
    #[must_use]
    pub const fn new(seats: usize, waiting_max: usize) -> Self {
        Self {
            seats: Semaphore::const_new(seats),
            waiting_max,
            waiting: AtomicUsize::new(0),
        }
    }

    /// Calls it when its turn comes: first come, first served.
    pub async fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        // Never closed.
        let _seat = self.seats.acquire().await.ok();
        off_the_thread(call)
    }

    /// The same, unless too many wait for their turn, or it does not come for so long.
    ///
    /// # Errors
    /// When as many wait as may, or it has waited for long enough.
    pub async fn call_unless_crowded<T>(
        &self,
        patience: Duration,
        call: impl FnOnce() -> T,
    ) -> Result<T, Crowded> {
        if self.seats.available_permits() > 0 {
            return Ok(self.call(call).await);
        }
        let waits = Waits::begin(&self.waiting);
        if waits.before >= self.waiting_max {
            return Err(Crowded);
        }
        let seat = tokio::time::timeout(patience, self.seats.acquire()).await;
        let _seat = seat.map_err(|_| Crowded)?;
        drop(waits);
        Ok(off_the_thread(call))
    }
}

/// One that waits, until it is dropped.
struct Waits<'a> {
    waiting: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        Self { waiting, before }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Calls it after the other tasks of this thread were given to another one.
fn off_the_thread<T>(call: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        // There is no other thread: whoever runs it so has chosen that.
        RuntimeFlavor::CurrentThread => call(),
        _ => tokio::task::block_in_place(call),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Apart, Crowded, Duration};

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn few_work_and_few_wait() {
        let apart = Arc::new(Apart::new(1, 1));
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let works = {
            let apart = Arc::clone(&apart);
            tokio::spawn(async move {
                apart
                    .call(move || {
                        let _ = begun.send(());
                        let _ = ends.recv();
                    })
                    .await;
            })
        };
        // The only thread of the runtime goes on meanwhile.
        while has_begun.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let wait = || {
            let apart = Arc::clone(&apart);
            tokio::spawn(async move { apart.call_unless_crowded(LONG, || 2).await })
        };
        let waits = wait();
        while apart.waiting.load(super::Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(apart.call_unless_crowded(LONG, || 3).await, Err(Crowded));
        waits.abort();
        assert!(waits.await.is_err());
        let soon = Duration::from_millis(1);
        assert_eq!(apart.call_unless_crowded(soon, || 3).await, Err(Crowded));
        let waits = wait();
        drop(end);
        assert!(works.await.is_ok());
        assert!(matches!(waits.await, Ok(Ok(2))));
        assert_eq!(apart.call_unless_crowded(LONG, || 4).await, Ok(4));
    }
}
