//! The bounds of the gRPC server, where they differ from those of HTTP in [`crate::limits`].

use std::time::Duration;

/// Bytes of a message, in or out: the largest payload as JSON text, twice, and what wraps it.
pub(super) const MESSAGE_BYTES_MAX: usize = 9 << 20;
/// How often a message is in memory: as it came, as its parts (a small number takes ten times its bytes),
/// as JSON.
pub(super) const MESSAGE_COPIES: usize = 8;
/// Bytes of a question about health or the contract, which anybody may ask: names of services.
pub(super) const QUESTION_BYTES_MAX: usize = 4 << 10;
/// How long such a question may take: it is there at once.
pub(super) const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of what a refused call is told of its mistakes: it travels in the head of an answer, where most
/// clients take 8 KiB, and base64 makes it a third longer.
pub(super) const TOLD_BYTES_MAX: usize = 4 << 10;
/// Open connections: clients put all their calls on one.
pub const CONNECTIONS_MAX: usize = 512;
/// Calls at once on one connection.
pub(super) const STREAMS_MAX: u32 = 1_024;
/// How often a silent connection is asked for a sign of life, and how long it may take to give one:
/// a client whose machine is gone must not keep its streams.
pub(super) const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
pub(super) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
