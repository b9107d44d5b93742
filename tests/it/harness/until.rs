//! Waiting for something to be true, with a deadline.

use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine, short enough that a failure is soon known.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
const INTERVAL: Duration = Duration::from_millis(20);

/// Asks again and again until `ask` gives something.
///
/// # Panics
/// After `patience`, with `what` was awaited.
pub(crate) async fn until<T>(
    what: &str,
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
