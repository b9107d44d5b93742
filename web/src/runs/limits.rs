//! Every bound of what runs are asked for with, each with its reason.

/// Runs of one batch: they are written in one transaction, which takes about half a second at most.
pub const BATCH_RUNS_MAX: usize = 10_000;
/// Bytes of a batch: 10,000 runs with 3 KiB each.
pub const BATCH_BYTES_MAX: usize = 32 << 20;
/// Runs of one bulk action: at a millisecond or two each, well within what an answer may take.
pub const BULK_RUNS_MAX: usize = 10_000;
/// Priorities go from −100 to 100: a scale that people can agree on.
pub const PRIORITY_MAX: i64 = 100;
/// Milliseconds of `wait_ms`: proxies commonly cut silent connections after a minute.
pub const WAIT_MS_MAX: u32 = 60_000;
/// Characters of a queue's name: it goes into hints and measurements.
pub const QUEUE_CHARS_MAX: usize = 64;
/// Characters of a dedupe key: it is in an index.
pub const DEDUPE_KEY_CHARS_MAX: usize = 255;
/// Characters of the reason of a cancel: a sentence or a few.
pub const REASON_CHARS_MAX: usize = 1_000;
/// The words that `status` may have.
pub const STATUSES: &[&str] = &[
    "pending",
    "running",
    "waiting",
    "paused",
    "completed",
    "failed",
    "cancelled",
    "timed_out",
];
