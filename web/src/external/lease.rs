//! How long an item is leased.

use std::time::Duration;

use stepwell_queue::external::{LEASE_DEFAULT, LEASE_MAX, LEASE_MIN};

use crate::problem::{Fault, Faults};

/// Checks `lease_ms`.
pub(super) fn read(lease_ms: Option<u64>, faults: &mut Faults) -> Duration {
    let Some(ms) = lease_ms else {
        return LEASE_DEFAULT;
    };
    let lease = Duration::from_millis(ms);
    if !(LEASE_MIN..=LEASE_MAX).contains(&lease) {
        let detail = format!(
            "must be from {} to {}, not {ms}",
            LEASE_MIN.as_millis(),
            LEASE_MAX.as_millis()
        );
        faults.push(Fault::at("/lease_ms", detail));
    }
    lease
}
