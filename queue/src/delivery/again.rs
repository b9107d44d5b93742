//! When a failed delivery is tried again: the schedule of Standard Webhooks, within a day. Pure.

use std::time::Duration;

use chrono::TimeDelta;
use stepwell_workflow::Time;

/// From one attempt to the next. The last of them is cut by the end of the day.
const DELAYS: [TimeDelta; 7] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
];
/// The share of a delay that is added at random, so that those that failed together come apart.
const JITTER: f64 = 0.2;

/// Returns the time of the next attempt; `None` when that was the last. `attempts`: those made;
/// `wait`: how long the receiver asks to be left alone; `chance`: 0 to 1.
pub(super) fn next_attempt(
    attempts: i32,
    now: Time,
    expires_at: Time,
    wait: Option<Duration>,
    chance: f64,
) -> Option<Time> {
    if now >= expires_at {
        return None;
    }
    let made = usize::try_from(attempts - 1).unwrap_or(0);
    let delay = DELAYS.get(made).or(DELAYS.last())?.to_std().ok()?;
    let delay = delay.mul_f64(1.0 + JITTER * chance);
    let delay = delay.max(wait.unwrap_or_default());
    Some((now + delay).min(expires_at))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_holds_eight_attempts() {
        let (begin, end) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        let (mut now, mut made) = (begin, vec![0]);
        while let Some(next) = next_attempt(i32::try_from(made.len()).unwrap(), now, end, None, 0.0)
        {
            now = next;
            made.push((now - begin).num_seconds());
        }
        assert_eq!(made, [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 86_400]);
    }

    #[test]
    fn the_receiver_may_ask_for_more_time_but_not_for_more_than_the_day() {
        let (now, end) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T01:00:00Z"));
        let asked = |seconds| next_attempt(1, now, end, Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(asked(60), Some(at("2026-01-01T00:01:00Z")));
        assert_eq!(asked(1), Some(at("2026-01-01T00:00:05Z")));
        assert_eq!(asked(7_200), Some(end));
    }

    #[test]
    fn chance_adds_up_to_a_fifth() {
        let (now, end) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        assert_eq!(
            next_attempt(1, now, end, None, 1.0),
            Some(at("2026-01-01T00:00:06Z"))
        );
        assert_eq!(next_attempt(1, end, end, None, 1.0), None);
    }
}
