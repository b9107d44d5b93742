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

/// Returns the smallest id that a row about this run can have: later by its clock, give or take.
pub(crate) fn smallest_id_about(run_id: Uuid) -> Uuid {
    let ms = run_id.as_u128() >> 80;
    let skew = u128::from(CLOCK_SKEW_MAX.num_milliseconds().unsigned_abs());
    Uuid::from_u128(ms.saturating_sub(skew) << 80)
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
}
