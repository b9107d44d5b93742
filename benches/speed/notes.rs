//! Times that two processes note of the same run, and what lies between them.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// A moment of each run that was noted: nanoseconds since 1970.
pub(crate) type Noted = HashMap<Uuid, u128>;

/// Nanoseconds since 1970: the clock that two processes share.
pub(crate) fn now() -> u128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock is past 1970").as_nanos()
}

/// Whether this run is one of those, one in `every`, that are noted. Both sides tell it by the end
/// of the id, which is random.
pub(crate) fn is_noted(run: Uuid, every: u32) -> bool {
    let [.., a, b, c, d] = run.into_bytes();
    every > 0 && u32::from_be_bytes([a, b, c, d]).is_multiple_of(every)
}

/// The milliseconds from one moment to the other, in the order of the first: what only one side
/// noted is left out. A moment that comes before the other counts as nothing.
pub(crate) fn between(from: &[(Uuid, u128)], to: &Noted) -> Vec<(u128, f64)> {
    from.iter()
        .filter_map(|(run, began)| {
            let ended = to.get(run)?;
            Some((*began, ended.saturating_sub(*began) as f64 / 1e6))
        })
        .collect()
}
