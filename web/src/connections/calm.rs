//! Says at most once a second what happens thousands of times: whoever can cause a line of the log for
//! nothing could fill the disk with it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// Counts what happened since it was said last.
#[derive(Debug, Default)]
pub(crate) struct Calm(Mutex<(Option<Instant>, u64)>);

impl Calm {
    /// Counts one; returns how many there were when it is time to say so.
    pub(crate) fn count(&self) -> Option<u64> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.1 += 1;
        if kept.0.is_some_and(|last| last.elapsed() < EVERY) {
            return None;
        }
        kept.0 = Some(Instant::now());
        Some(std::mem::take(&mut kept.1))
    }
}

#[cfg(test)]
mod tests {
    use super::Calm;

    #[test]
    fn many_make_one_line() {
        let calm = Calm::default();
        let said = (0..10_000).filter_map(|_| calm.count()).collect::<Vec<_>>();
        assert_eq!(said.first(), Some(&1));
        assert!(said.len() < 10);
    }
}
