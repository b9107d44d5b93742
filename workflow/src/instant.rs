//! Instants as they are kept: in whole microseconds, which is what Postgres holds. An instant is
//! then the same in memory, in its column and in every JSON, before and after it was stored.

use chrono::SubsecRound;

use crate::Time;

/// Digits of a second's fraction.
const DIGITS: u16 = 6;

/// Returns an instant without what is shorter than a microsecond.
pub(crate) fn whole(at: Time) -> Time {
    at.trunc_subsecs(DIGITS)
}
