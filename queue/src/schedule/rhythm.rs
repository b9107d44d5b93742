//! When a schedule fires: a cron pattern on the clock of a time zone. Pure.
//!
//! Where a clock goes forward, a pattern that names its hours and minutes (`30 2 * * *`) fires at the
//! first moment after the gap, once. Where it goes back, such a pattern fires at the first of the
//! two. A pattern whose hours or minutes are `*` or `*/n` follows the time that passes: what falls
//! into the gap is left out, and the repeated hour has its firings twice.

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Year};
use stepwell_workflow::Time;

/// Characters of a pattern: each of five fields may list all its values.
const CRON_CHARS_MAX: usize = 512;
/// The longest gap of any clock: an island that skipped a day across the date line.
const GAP_MAX: TimeDelta = TimeDelta::hours(25);

/// A pattern on a clock.
#[derive(Clone, Debug)]
pub struct Rhythm {
    cron: Cron,
    zone: Tz,
    /// Whether the pattern names its hours and minutes.
    named: bool,
}

impl Rhythm {
    /// Reads a pattern: five fields, six with seconds in front, or a word such as `@daily`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn cron(pattern: &str) -> Result<Cron, String> {
        if pattern.len() > CRON_CHARS_MAX {
            return Err(format!("may have up to {CRON_CHARS_MAX} characters"));
        }
        CronParser::builder()
            .year(Year::Disallowed)
            .build()
            .parse(pattern)
            .map_err(|error| {
                format!("must be five fields (minute hour day month weekday), or six with seconds in front: {error}")
            })
    }

    /// Reads the name of a time zone.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn zone(name: &str) -> Result<Tz, String> {
        name.parse().map_err(|_| {
            format!("must be a time zone of the IANA database, such as Europe/Berlin or UTC, not {name:?}")
        })
    }

    /// Joins the two.
    #[must_use]
    pub fn new(cron: Cron, zone: Tz) -> Self {
        let fields: Vec<_> = cron.as_str().split_whitespace().collect();
        let named = match fields[..] {
            [minute, hour, ..] if fields.len() == 5 => !free(minute) && !free(hour),
            [_, minute, hour, ..] => !free(minute) && !free(hour),
            // `@daily` and its like say how often in their own fields.
            _ => cron.determine_job_type() == croner::JobType::FixedTime,
        };
        Self { cron, zone, named }
    }

    /// Reads both as they are stored.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn read(pattern: &str, zone: &str) -> Result<Self, String> {
        Ok(Self::new(Self::cron(pattern)?, Self::zone(zone)?))
    }

    /// Returns the first firing after a moment; `None` when there is none any more.
    #[must_use]
    pub fn after(&self, moment: Time) -> Option<Time> {
        let local = moment.with_timezone(&self.zone);
        if !self.named {
            let next = self.cron.find_next_occurrence(&local, false).ok()?;
            return Some(next.with_timezone(&Utc));
        }
        let mut wall = local.naive_local();
        loop {
            // The wall clock alone, as if it never jumped.
            let next = self
                .cron
                .find_next_occurrence(&wall.and_utc(), false)
                .ok()?;
            wall = next.naive_utc();
            let at = self.moment(wall)?;
            if at > moment {
                return Some(at);
            }
        }
    }

    /// Returns the moment at which a wall clock shows this, the first of two; for what it never
    /// shows, the first moment after the gap.
    fn moment(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.zone.from_local_datetime(&wall) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
            LocalResult::None => self.end_of_gap(wall),
        }
    }

    /// Halves the stretch between what the clock never shows and what it shows again.
    fn end_of_gap(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let shown = |wall: NaiveDateTime| self.zone.from_local_datetime(&wall).earliest();
        let (mut missing, mut there) = (wall, wall.checked_add_signed(GAP_MAX)?);
        while there - missing > TimeDelta::seconds(1) {
            let middle = missing + TimeDelta::seconds((there - missing).num_seconds() / 2);
            if shown(middle).is_some() {
                there = middle;
            } else {
                missing = middle;
            }
        }
        Some(shown(there)?.with_timezone(&Utc))
    }
}

/// Whether a field leaves its value to the time that passes.
fn free(field: &str) -> bool {
    field.starts_with('*')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The firings after a moment, in UTC.
    fn check(pattern: &str, zone: &str, after: &str, expected: &[&str]) {
        let rhythm = Rhythm::read(pattern, zone).unwrap();
        let mut at: Time = after.parse().unwrap();
        for expected in expected {
            at = rhythm.after(at).unwrap();
            let expected: Time = expected.parse().unwrap();
            assert_eq!(at, expected, "{pattern} in {zone} after {after}");
        }
    }

    // In Berlin the clock goes from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC, and from 03:00 back
    // to 02:00 on 2026-10-25, at 01:00 UTC. In New York it goes from 02:00 to 03:00 on 2026-03-08, at
    // 07:00 UTC, and from 02:00 back to 01:00 on 2026-11-01, at 06:00 UTC.

    #[test]
    fn a_time_that_does_not_exist_fires_once_when_the_gap_is_over() {
        let berlin = [
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
        ];
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-27T12:00:00Z",
            &berlin,
        );
        // Two that do not exist are one moment.
        let lists = [
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:15:00Z",
            "2026-03-30T00:45:00Z",
        ];
        check(
            "15,45 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            &lists,
        );
        check(
            "30 2 * * *",
            "America/New_York",
            "2026-03-08T00:00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        );
    }

    #[test]
    fn a_time_that_comes_twice_fires_at_the_first() {
        let new_york = [
            "2026-10-31T05:30:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-02T06:30:00Z",
        ];
        check(
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T00:00:00Z",
            &new_york,
        );
        // Asked between the two, and in the second of them.
        for after in [
            "2026-11-01T05:45:00Z",
            "2026-11-01T06:10:00Z",
            "2026-11-01T06:45:00Z",
        ] {
            check(
                "30 1 * * *",
                "America/New_York",
                after,
                &["2026-11-02T06:30:00Z"],
            );
        }
        let lists = [
            "2026-11-01T05:30:00Z",
            "2026-11-01T18:30:00Z",
            "2026-11-02T06:30:00Z",
        ];
        check(
            "30 1,13 * * *",
            "America/New_York",
            "2026-11-01T00:00:00Z",
            &lists,
        );
        check(
            "@daily",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"],
        );
    }

    #[test]
    fn what_follows_the_passing_time_is_left_out_in_the_gap_and_made_in_both_hours() {
        let forward = [
            "2026-03-29T00:30:00Z",
            "2026-03-29T01:30:00Z",
            "2026-03-29T02:30:00Z",
        ];
        check(
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            &forward,
        );
        let back = [
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:30:00Z",
            "2026-11-01T07:30:00Z",
        ];
        check(
            "30 * * * *",
            "America/New_York",
            "2026-11-01T05:00:00Z",
            &back,
        );
        check(
            "@hourly",
            "America/New_York",
            "2026-11-01T05:30:00Z",
            &["2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
        );
        check(
            "*/30 1 * * *",
            "America/New_York",
            "2026-11-01T05:00:00Z",
            &[
                "2026-11-01T05:30:00Z",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:30:00Z",
                "2026-11-02T06:00:00Z",
            ],
        );
    }

    #[test]
    fn a_day_that_an_island_skipped_is_made_up_when_it_is_over() {
        // Samoa had no 30 December 2011.
        let samoa = [
            "2011-12-29T22:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T22:00:00Z",
        ];
        check("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", &samoa);
    }

    #[test]
    fn seconds_and_days_of_the_week() {
        check(
            "*/20 * * * * *",
            "UTC",
            "2026-01-01T00:00:00.5Z",
            &["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"],
        );
        check(
            "0 9 * * MON-FRI",
            "Asia/Tokyo",
            "2026-01-02T01:00:00Z",
            &["2026-01-05T00:00:00Z"],
        );
        check(
            "0 0 29 2 *",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        );
    }

    #[test]
    fn what_never_comes_is_told_soon() {
        let rhythm = Rhythm::read("0 0 30 2 *", "UTC").unwrap();
        assert_eq!(rhythm.after("2026-01-01T00:00:00Z".parse().unwrap()), None);
        let rhythm = Rhythm::read("* * 31 6 *", "Europe/Berlin").unwrap();
        assert_eq!(rhythm.after("2026-01-01T00:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn bad_patterns_and_zones_say_what_is_wrong() {
        for pattern in [
            "",
            "* * *",
            "61 * * * *",
            "a b c d e",
            "0 0 0 1 1 * 2027",
            &"1,".repeat(300),
        ] {
            assert!(Rhythm::cron(pattern).is_err(), "{pattern}");
        }
        for zone in ["", "Berlin", "CEST+2", "europe/berlin"] {
            assert!(Rhythm::zone(zone).unwrap_err().contains("IANA"), "{zone}");
        }
    }
}
