//! The bounds of the gRPC server, where they differ from those of HTTP in [`crate::limits`].

use std::time::Duration;

/// Bytes of a message, in or out: the largest payload as JSON text, twice, and what wraps it.
pub(super) const MESSAGE_BYTES_MAX: usize = 9 << 20;
/// Calls at once on one connection: clients put all their streams on one.
pub(super) const STREAMS_MAX: u32 = 4_096;
/// How often a silent connection is asked for a sign of life, and how long it may take to give one:
/// a client whose machine is gone must not keep its streams.
pub(super) const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
