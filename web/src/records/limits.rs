//! Every bound of records, each with its reason.

/// Characters of a category or a source: a name; both are in indexes.
pub const WORD_CHARS_MAX: usize = 128;
/// The words that `status` may have.
pub const STATUSES: &[&str] = &["pending", "processing", "processed", "failed"];
