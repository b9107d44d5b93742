//! The bounds of event streams.

use std::time::Duration;

/// Silence after which a comment is sent, so that proxies and clients see that the stream lives.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again: milliseconds.
pub const RECONNECT_MS: u32 = 1_000;
/// How long a stream waits when the database is away before it asks again.
pub const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of `Last-Event-ID`: a cursor names the transactions that were running, some 2,000 at the most. With the
/// rest of the head it fits into [`HEADER_BYTES_MAX`](crate::limits::HEADER_BYTES_MAX).
pub const LAST_EVENT_ID_BYTES_MAX: usize = 24 << 10;
/// Filters of one kind.
pub const FILTERS_MAX: usize = 100;
