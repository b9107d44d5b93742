//! How fast a worker takes up runs, by queue: smoothed over about a minute, told with each heartbeat.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What was a minute ago counts for about a third of what is now.
const MEMORY: Duration = Duration::from_secs(60);
/// Below this a queue is at rest, and left out.
const AT_REST: f64 = 0.001;

/// Counts claims between heartbeats.
#[derive(Debug)]
pub(crate) struct Takings(Mutex<Counted>);

#[derive(Debug)]
struct Counted {
    since: Instant,
    taken: BTreeMap<String, usize>,
    rates: BTreeMap<String, f64>,
}

impl Default for Takings {
    fn default() -> Self {
        Self(Mutex::new(Counted {
            since: Instant::now(),
            taken: BTreeMap::new(),
            rates: BTreeMap::new(),
        }))
    }
}

impl Takings {
    pub(super) fn add(&self, queue: &str, jobs: usize) {
        let mut counted = self.lock();
        match counted.taken.get_mut(queue) {
            Some(taken) => *taken += jobs,
            None => {
                counted.taken.insert(queue.to_owned(), jobs);
            }
        }
    }

    /// Returns the rates in a second as a JSON object, and begins to count anew.
    pub(super) fn rates(&self, now: Instant) -> String {
        let mut counted = self.lock();
        let elapsed = now.duration_since(counted.since).as_secs_f64();
        if elapsed > 0.0 {
            let kept = (-elapsed / MEMORY.as_secs_f64()).exp();
            let taken = std::mem::take(&mut counted.taken);
            for rate in counted.rates.values_mut() {
                *rate *= kept;
            }
            for (queue, jobs) in taken {
                let jobs = f64::from(u32::try_from(jobs).unwrap_or(u32::MAX));
                *counted.rates.entry(queue).or_default() += (1.0 - kept) * jobs / elapsed;
            }
            counted.rates.retain(|_, rate| *rate >= AT_REST);
            counted.since = now;
        }
        // As the API shows them: the view and the list are to say the same.
        let told = counted.rates.iter();
        let told: BTreeMap<_, _> = told.map(|(queue, rate)| (queue, rounded(*rate))).collect();
        serde_json::to_string(&told).unwrap_or_else(|_| "{}".to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Numbers are whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To the thousandth, which is the least rate that is told.
fn rounded(rate: f64) -> f64 {
    (rate * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn a_steady_pace_is_told_and_a_rest_is_forgotten() {
        let takings = Takings::default();
        let begun = takings.lock().since;
        let told = |second: u64| -> BTreeMap<String, f64> {
            let text = takings.rates(begun + Duration::from_secs(second));
            serde_json::from_str(&text).unwrap()
        };
        for beat in 1..=100 {
            takings.add("a", 50);
            told(beat * 5);
        }
        let rate = told(501)["a"];
        assert!((9.0..=10.0).contains(&rate), "{rate}");
        assert!(told(2_000).is_empty());
    }
}
