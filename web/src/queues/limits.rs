//! Every bound of what is decided about queues, each with its reason.

/// Runs of one queue that may be leased at once: more than a hundred of the largest workers hold.
pub const MAX_RUNNING_MAX: i32 = 1_000_000;
