//! What one look at a due schedule comes to: which firing is made, and when the next is. Pure.

use std::collections::VecDeque;

use chrono::TimeDelta;
use stepwell_workflow::Time;

use super::Rhythm;

/// A firing up to this late is made all the same: processes restart. A later one was missed, and is
/// made only within the schedule's `catch_up`.
pub(super) const GRACE: TimeDelta = TimeDelta::seconds(60);
/// The first stretch that is searched for missed firings; each next one is twice as long.
const FIRST_STRETCH: TimeDelta = TimeDelta::hours(1);

/// One firing, or none, and what comes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// The firing to make.
    pub(super) at: Option<Time>,
    /// Whether firings before it are given up.
    pub(super) missed: bool,
    pub(super) next_at: Option<Time>,
}

/// Decides about a schedule whose next firing is at `next_at`, which is not after `now`.
pub(super) fn turn(rhythm: &Rhythm, next_at: Time, now: Time, catch_up: i32) -> Turn {
    let late = now - GRACE;
    let at = if next_at > late {
        Some(next_at)
    } else {
        // The oldest of those missed that are made up for, else the first that is in time.
        let kept = usize::try_from(catch_up).unwrap_or(0);
        last_missed(rhythm, next_at, late, kept)
            .or_else(|| rhythm.after(late).filter(|at| *at <= now))
    };
    Turn {
        at,
        missed: at != Some(next_at),
        next_at: rhythm.after(at.unwrap_or(late)),
    }
}

/// Returns the oldest of the last `kept` firings from `from` to `until`. The search begins at the
/// end, so that a schedule that was due a year ago is not followed through the year.
fn last_missed(rhythm: &Rhythm, from: Time, until: Time, kept: usize) -> Option<Time> {
    if kept == 0 {
        return None;
    }
    let mut stretch = FIRST_STRETCH;
    loop {
        let begin = until - stretch;
        let whole = begin < from;
        let mut last = VecDeque::with_capacity(kept + 1);
        let mut at = if whole {
            Some(from)
        } else {
            rhythm.after(begin)
        };
        while let Some(firing) = at.filter(|at| *at <= until) {
            last.push_back(firing);
            if last.len() > kept {
                last.pop_front();
            }
            at = rhythm.after(firing);
        }
        if whole || last.len() == kept {
            return last.pop_front();
        }
        stretch = stretch * 2;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Every firing that is made when a schedule is looked at after it was due.
    fn check(cron: &str, next_at: &str, now: &str, catch_up: i32, made: &[&str], next: &str) {
        let rhythm = Rhythm::read(cron, "UTC").unwrap();
        let time = |text: &str| text.parse::<Time>().unwrap();
        let (mut next_at, now) = (time(next_at), time(now));
        let mut firings = Vec::new();
        while next_at <= now {
            let turn = turn(&rhythm, next_at, now, catch_up);
            assert!(turn.next_at.unwrap() > next_at, "it goes on");
            firings.extend(turn.at);
            next_at = turn.next_at.unwrap();
        }
        let made: Vec<_> = made.iter().map(|text| time(text)).collect();
        assert_eq!(
            (firings, next_at),
            (made, time(next)),
            "{cron} at {now}, catch_up {catch_up}"
        );
    }

    #[test]
    fn a_firing_in_time_is_made() {
        let at = "2026-01-01T12:00:00Z";
        for now in [at, "2026-01-01T12:00:59Z"] {
            check("0 * * * *", at, now, 0, &[at], "2026-01-01T13:00:00Z");
        }
    }

    #[test]
    fn missed_ones_are_left_out_or_made_up_for() {
        let (due, now) = ("2026-01-01T12:00:00Z", "2026-01-01T15:30:00Z");
        let next = "2026-01-01T16:00:00Z";
        let hours: Vec<_> = (12..=15)
            .map(|hour| format!("2026-01-01T{hour}:00:00Z"))
            .collect();
        let hours: Vec<_> = hours.iter().map(String::as_str).collect();
        check("0 * * * *", due, now, 0, &[], next);
        check("0 * * * *", due, now, 1, &hours[3..], next);
        check("0 * * * *", due, now, 2, &hours[2..], next);
        check("0 * * * *", due, now, 100, &hours, next);
    }

    #[test]
    fn one_in_time_is_made_besides_those_made_up_for() {
        let (due, now) = ("2026-01-01T12:00:00Z", "2026-01-01T15:00:30Z");
        let next = "2026-01-01T16:00:00Z";
        check("0 * * * *", due, now, 0, &["2026-01-01T15:00:00Z"], next);
        check(
            "0 * * * *",
            due,
            now,
            1,
            &["2026-01-01T14:00:00Z", "2026-01-01T15:00:00Z"],
            next,
        );
    }

    #[test]
    fn a_year_of_minutes_is_not_counted_through() {
        let begun = std::time::Instant::now();
        let (due, now) = ("2025-01-01T00:00:00Z", "2026-01-01T00:10:30Z");
        let made = [
            "2026-01-01T00:08:00Z",
            "2026-01-01T00:09:00Z",
            "2026-01-01T00:10:00Z",
        ];
        check("* * * * *", due, now, 2, &made, "2026-01-01T00:11:00Z");
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
    }
}
