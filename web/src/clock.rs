//! What time it is, as the API writes it down.

use chrono::SubsecRound;
use stepwell_workflow::Time;

/// Returns now. Microseconds are what the database keeps; the first answer must equal all later ones.
#[must_use]
pub fn now() -> Time {
    chrono::Utc::now().trunc_subsecs(6)
}
