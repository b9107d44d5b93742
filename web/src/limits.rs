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
/// Bytes of a request's head: four times what proxies commonly pass. A connection may hold as much
/// before anybody knows whose it is.
pub const HEADER_BYTES_MAX: usize = 32 << 10;
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
/// Requests in work at once; each principal may have half of them, which is as much as one client makes use
/// of. Their bodies are bounded apart.
pub const REQUESTS_MAX: usize = 2_048;
/// Requests that wait for something to happen (`wait_ms`), beside the others: they hold a slot for a
/// minute, and no body.
pub const WAITS_MAX: usize = 2_048;
/// Requests at once that are let in by a token of their own: reports of agents and external work take a
/// few milliseconds.
pub const TOKEN_REQUESTS_MAX: usize = 256;
/// Looks at once at how the server is, which ask the database.
pub const PROBES_MAX: usize = 64;
/// Health and reflection calls at once over gRPC: nobody is asked who they are there.
pub const CONTRACT_CALLS_MAX: usize = 256;
/// Credentials at once that somebody has to be asked about, the database or an issuer of keys; those
/// that are known by heart do not count.
pub const UNSURE_MAX: usize = 256;
/// Tokens at once that wait for the issuer's keys, which can take five seconds.
pub const KEYS_WAIT_MAX: usize = 64;
/// Memory for the bodies in work, over all requests and calls, as they are once they are read; each
/// principal may have half of it. The largest body of numbers takes that half by itself.
pub const BODIES_BYTES_MAX: usize = 128 << 20;
/// The same for those that are let in by a token of their own.
pub const TOKEN_BODIES_BYTES_MAX: usize = 32 << 20;
/// Memory for large answers on their way, over all requests: a page may have 16 MiB, and whoever asked for
/// it may read it slowly.
pub const ANSWERS_BYTES_MAX: usize = 128 << 20;
/// Open connections: each costs a file descriptor; 4,096 leaves room under the common limit of
/// 8,192 and more. One address may have half of them.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections beside those, where all are somebody's who was let in: for probes, and for
/// [`SPARE_LIFE`] only.
pub const SPARE_CONNECTIONS: usize = 32;
/// How long such a connection lives: a probe takes milliseconds.
pub const SPARE_LIFE: Duration = Duration::from_secs(2);
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
/// Bytes of bodies that a client may send ahead on one HTTP/2 connection, and on one stream of it: they
/// are in memory before anybody asked for them.
pub const CONNECTION_WINDOW: u32 = 128 << 10;
pub const STREAM_WINDOW: u32 = 64 << 10;
/// Bodies at once whose rest is read and thrown away.
pub const LEFTOVERS_MAX: usize = 64;
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

/// Memory of a process that does nothing: code, caches, pools, allocator.
const AT_REST_BYTES: usize = 96 << 20;
/// Memory of a connection beside its head: the task, the tables of HTTP/2.
const CONNECTION_BYTES: usize = 12 << 10;

/// Returns what all limits together allow, in bytes, for whoever says how much memory a process gets. It
/// takes all connections, all slots and all budgets to be used up at once.
#[must_use]
pub const fn worst_case_bytes() -> usize {
    let connections =
        CONNECTIONS_MAX + crate::grpc::limits::CONNECTIONS_MAX + 2 * SPARE_CONNECTIONS;
    let connections = connections * (HEADER_BYTES_MAX + CONNECTION_BYTES);
    // What a client sends of a body before there is room for it.
    let slots = REQUESTS_MAX + WAITS_MAX + TOKEN_REQUESTS_MAX + PROBES_MAX + CONTRACT_CALLS_MAX;
    let ahead = slots * STREAM_WINDOW as usize;
    AT_REST_BYTES
        + connections
        + ahead
        + BODIES_BYTES_MAX
        + TOKEN_BODIES_BYTES_MAX
        + ANSWERS_BYTES_MAX
}
