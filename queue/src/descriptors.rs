//! What this process may have open: sockets and files share one limit, and the database's connections come first.
//!
//! With the 1,024 that many systems give softly, a thousand calls to agents left nothing for the connection that says
//! that the worker lives. So the soft limit is raised to the hard one at the start ([`raise`]), what calls to the world
//! may take is what is left beside the database ([`for_calls`]), and a call that finds no descriptor all the same is no
//! failure of whoever was to be called ([`is_shortage`]).

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use chrono::TimeDelta;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::clock;

/// Beside the database and calls of steps: standard streams, the runtime's own, listeners, clients that look at the
/// worker, name resolution, checks of agents' health, keys of tokens.
const OTHERS: usize = 96;
/// Connections of a store besides its pools: of the loops that own one.
const LOOPS: usize = 24;
/// Calls that may be under way however little is left.
const CALLS_MIN: usize = 16;
/// Between two lines of the log about it.
const TOLD_EVERY: TimeDelta = TimeDelta::seconds(1);
/// How long it is told to those who ask.
const RECENT: TimeDelta = TimeDelta::seconds(60);
/// A hard limit below this is told of by the doctor: 1,000 runs call an agent each, and there is room to grow.
pub const LIMIT_FEW: u64 = 4_096;

static RESERVED: AtomicUsize = AtomicUsize::new(OTHERS);
static SHORTAGES: AtomicU64 = AtomicU64::new(0);
/// When the last one was, and when the log last told; microseconds since 1970.
static LAST: AtomicI64 = AtomicI64::new(i64::MIN);
static TOLD: AtomicI64 = AtomicI64::new(i64::MIN);

/// How many descriptors this process may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub soft: u64,
    /// What the soft one may be raised to.
    pub hard: u64,
}

/// Raises the soft limit to the hard one. Call it early in `main`.
pub fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Some systems refuse more than they could ever give; then it stays as it was.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Returns the limits; `None` where the system knows none.
#[must_use]
pub fn limits() -> Option<Limits> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    Some(Limits { soft, hard })
}

/// Returns how many sockets calls to the world may have, beside what is set aside for the database.
#[must_use]
pub fn for_calls() -> usize {
    let Some(Limits { soft, .. }) = limits() else {
        return usize::MAX;
    };
    let all = usize::try_from(soft).unwrap_or(usize::MAX);
    all.saturating_sub(RESERVED.load(Ordering::Relaxed))
        .max(CALLS_MIN)
}

/// Whether an error says that this process, or its host, has no descriptor, buffer or port left for another socket.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    let short = [
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::ENOBUFS,
        Errno::EADDRNOTAVAIL,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| short.contains(&Errno::from_raw(code)))
}

/// Whether no file can be opened now: some libraries hide why they failed.
#[must_use]
pub fn are_gone() -> bool {
    std::fs::File::open("/dev/null").is_err_and(|error| is_shortage(&error))
}

/// Counts a shortage, and says so in the log, at most once a second.
pub fn ran_short(what: &str) {
    SHORTAGES.fetch_add(1, Ordering::Relaxed);
    let now = clock::now().timestamp_micros();
    LAST.fetch_max(now, Ordering::Relaxed);
    let told = TOLD.load(Ordering::Relaxed);
    let due = now.saturating_sub(told) >= TOLD_EVERY.num_microseconds().unwrap_or(i64::MAX);
    if due
        && TOLD
            .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    {
        tracing::warn!(
            limit = limits().map(|limits| limits.soft),
            shortages = shortages(),
            "this process has no descriptors left for {what}: it waits and costs no attempt; raise `ulimit -n` (LimitNOFILE)"
        );
    }
}

/// Returns how often there was a shortage.
#[must_use]
pub fn shortages() -> u64 {
    SHORTAGES.load(Ordering::Relaxed)
}

/// Says so where there was a shortage within the last minute.
#[must_use]
pub fn warning() -> Option<String> {
    let ago = clock::now()
        .timestamp_micros()
        .saturating_sub(LAST.load(Ordering::Relaxed));
    let recent = RECENT.num_microseconds().unwrap_or(i64::MAX);
    let limit = limits().map_or(0, |limits| limits.soft);
    (ago < recent).then(|| {
        format!("this process ran out of its {limit} descriptors: calls wait; raise `ulimit -n` (LimitNOFILE)")
    })
}

/// What a store keeps aside, for as long as it is there.
#[derive(Debug)]
pub(crate) struct Reserve(usize);

impl Reserve {
    pub(crate) fn of(pool_max: u32) -> Self {
        let count = LOOPS.saturating_add(usize::try_from(pool_max).unwrap_or(usize::MAX / 4));
        RESERVED.fetch_add(count, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, Limits, are_gone, is_shortage, limits};
    use crate::Error;
    use std::io;

    #[test]
    fn what_is_short_here_is_told_from_what_fails_there() {
        for code in [
            Errno::EMFILE,
            Errno::ENFILE,
            Errno::ENOBUFS,
            Errno::EADDRNOTAVAIL,
        ] {
            let short = io::Error::from_raw_os_error(code as i32);
            assert!(is_shortage(&short), "{code}");
            // The database is away for as long as we have no descriptor to go there.
            assert!(matches!(
                Error::from(sqlx::Error::Io(short)),
                Error::Unavailable(_)
            ));
        }
        for code in [Errno::ECONNREFUSED, Errno::ECONNRESET, Errno::ETIMEDOUT] {
            assert!(!is_shortage(&io::Error::from_raw_os_error(code as i32)));
        }
        assert!(!are_gone());
    }

    #[test]
    fn the_limits_are_known() {
        let known = limits().unwrap_or(Limits { soft: 0, hard: 0 });
        assert!(known.soft > 0 && known.soft <= known.hard, "{known:?}");
    }
}
