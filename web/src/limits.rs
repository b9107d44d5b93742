//! Every bound of the HTTP server, each with its reason.

use std::time::Duration;

/// Bytes of a request body: the largest payload that a run carries, with room for what wraps it.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// Bytes that are read and thrown away of a body that was answered before its end: twice the largest
/// body of any route. A client that sends on meanwhile would else find its connection broken, and
/// never see the answer.
pub const LEFTOVER_BYTES_MAX: u64 = 64 << 20;
/// How long that may take: 64 MiB at the pace of a home connection.
pub const LEFTOVER_TIMEOUT: Duration = Duration::from_secs(60);
/// Header fields of a request; browsers and proxies send about thirty.
pub const HEADERS_MAX: usize = 100;
/// Bytes of a request's head: eight times what proxies commonly pass.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// Time to send a request's head, so that slow senders do not hold connections; over HTTP/1 also the
/// time that a connection may rest between two requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest gap between two pieces of a request body, for the same reason.
pub const BODY_GAP_MAX: Duration = Duration::from_secs(30);
/// Time for one answer: the longest `wait_ms` (60 s) and some to spare.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(75);
/// Silence after which a connection is closed. Longer than [`REQUEST_TIMEOUT`], because a
/// connection is silent while its request waits.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Requests in work at once: with the largest bodies, 4 GiB.
pub const REQUESTS_MAX: usize = 1_024;
/// Open connections: each costs a file descriptor; 4,096 leaves room under the common limit of
/// 8,192 and more.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Requests at once on one HTTP/2 connection.
pub const STREAMS_MAX: u32 = 256;
/// Bytes of JSON that are checked where they are, a few milliseconds at most; what is larger is checked
/// on a thread of its own.
pub const CHECKED_IN_PLACE_BYTES_MAX: usize = 16 << 10;
/// Large documents that are checked at once: more would leave nothing of the cores to others.
pub const CHECKS_AT_ONCE: usize = 2;
/// Large documents that wait to be checked: the last of them waits for some seconds.
pub const CHECKS_WAITING_MAX: usize = 32;
/// How long one of them waits for its turn: whoever asks again later loses nothing.
pub const CHECK_PATIENCE: Duration = Duration::from_secs(10);
/// How long a health check waits for the database.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an agent that is asked for its health may take, unless its own timeout is shorter: a
/// person waits for it.
pub const AGENT_HEALTH_TIMEOUT: Duration = Duration::from_secs(10);
/// What `Retry-After` says when the database is away or the server is full: seconds.
pub const RETRY_AFTER_SECONDS: u32 = 1;
/// Characters of `X-Request-ID`.
pub const REQUEST_ID_CHARS_MAX: usize = 128;
/// Characters of `traceparent`: version 00 has 55, a later one may have more.
pub const TRACEPARENT_CHARS_MAX: usize = 128;
/// Characters of `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Entries of a page, and how many when the client does not say.
pub const PAGE_MAX: u32 = 200;
pub const PAGE_DEFAULT: u32 = 50;
/// Entries that `offset` may skip: beyond it each page costs as much as all before it, and a
/// cursor does better.
pub const OFFSET_MAX: u32 = 10_000;
/// Characters of a cursor: many times what we hand out.
pub const CURSOR_CHARS_MAX: usize = 1_024;
/// Characters of one query parameter.
pub const PARAMETER_CHARS_MAX: usize = 1_024;
