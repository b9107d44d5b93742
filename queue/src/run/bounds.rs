//! Ids are UUIDv7, so that a bound in time is a bound on ids, and partitions without a match are
//! not looked at.

use chrono::TimeDelta;
use stepwell_workflow::Time;
use uuid::Uuid;

/// How far the clock that wrote a row's id may differ from the clock that made the run's id.
pub(crate) const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::hours(1);

/// Returns the smallest UUIDv7 of this millisecond, as `stepwell.uuid7_bound` does.
pub(crate) fn smallest_id(at: Time) -> Uuid {
    let ms = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(u128::from(ms) << 80)
}

/// Returns the instant that a UUIDv7 holds.
pub(crate) fn created_at(id: Uuid) -> Option<Time> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Time::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

/// Returns the smallest id of the instant that lies so long before this one.
pub(crate) fn earlier(id: Uuid, by: TimeDelta) -> Uuid {
    let ms = id.as_u128() >> 80;
    let by = u128::from(by.num_milliseconds().unsigned_abs());
    Uuid::from_u128(ms.saturating_sub(by) << 80)
}

/// Returns the smallest id that a row about this run can have: later by its clock, give or take.
pub(crate) fn smallest_id_about(run_id: Uuid) -> Uuid {
    earlier(run_id, CLOCK_SKEW_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_stand_around_an_id() {
        let at = "2026-03-01T12:00:00.5Z".parse::<Time>().expect("a time");
        let ms = u64::try_from(at.timestamp_millis()).expect("after 1970");
        let id = uuid::Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid();
        assert!(smallest_id(at) <= id);
        assert!(id < smallest_id(at + TimeDelta::milliseconds(1)));
        assert!(smallest_id_about(id) < smallest_id(at));
        assert_eq!(smallest_id_about(Uuid::nil()), Uuid::nil());
    }

    #[test]
    fn a_window_begins_before_its_end_and_not_before_all_time() {
        let at = "2026-03-01T12:00:00Z".parse::<Time>().unwrap_or_default();
        let id = smallest_id(at);
        assert_eq!(
            earlier(id, TimeDelta::seconds(90)),
            smallest_id(at - TimeDelta::seconds(90))
        );
        assert_eq!(earlier(id, TimeDelta::days(100_000)), Uuid::nil());
    }
}
