//! The one clock of the process: monotonic time of this host, set by what the database says that it is.
//!
//! What a worker decides is due by the database's clock or by that of the next worker, so all of them must mean the
//! same by "now", whatever their hosts' clocks say. The database's time comes with statements that are made anyway:
//! each heartbeat, each look at the schedules, each claim; for half of their round trip we do not know when exactly
//! it was read. It is process-wide, for a process has one database, and what makes a time or an id is often far
//! from a handle on it. Before the first answer it is the host's clock.
//!
//! Nothing else may ask the host what time it is: `clippy.toml` sees to that. Ids are made here as well, because
//! their time decides in which partition a row lies.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use chrono::{TimeDelta, Utc};
use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::{ContextV7, Timestamp, Uuid};

/// A correction backwards up to this is waited out: until then time stands still. After a larger one, as when the
/// database's own clock was put right, it would stand still for too long.
const WAITED_OUT: i64 = 1_000_000;
/// A round trip up to this, in microseconds, says more than what was believed: a slow one may have been slow on one way
/// only.
const QUICK: i64 = 100_000;
/// Beyond this a host's clock is told to be wrong. NTP keeps clocks a hundred times closer.
pub const SKEW_MAX: TimeDelta = TimeDelta::seconds(2);

static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock::new(Instant::now(), host()));

/// Returns the database's time, to the microsecond that it keeps. It does not go back.
#[must_use]
pub fn now() -> Time {
    time(CLOCK.now(Instant::now()))
}

/// Makes an id by the database's time: UUIDv7, growing within the process.
#[must_use]
pub fn id() -> Uuid {
    CLOCK.id(Instant::now())
}

/// Returns what this host's clock says. It is for what others judge by theirs (tokens of an issuer, signatures that
/// a receiver holds against its own clock), and to tell how wrong it is.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
pub fn host() -> Time {
    Utc::now()
}

/// Returns by how much this host's clock is ahead of the database's; `None` before that was asked.
#[must_use]
pub fn skew() -> Option<TimeDelta> {
    CLOCK.is_set().then(|| host() - now())
}

/// Says how a clock differs from the database's: `300.0 s ahead of the database's`.
#[must_use]
pub fn described(skew: TimeDelta) -> String {
    let seconds = skew.abs().as_seconds_f64();
    let side = if skew < TimeDelta::zero() {
        "behind"
    } else {
        "ahead of"
    };
    format!("{seconds:.1} s {side} the database's")
}

/// The skew in milliseconds, as it is kept.
pub(crate) fn skew_ms() -> Option<i32> {
    let ms = skew()?.num_milliseconds();
    i32::try_from(ms.clamp(i32::MIN.into(), i32::MAX.into())).ok()
}

/// Whether the database's time is known.
pub(crate) fn is_set() -> bool {
    CLOCK.is_set()
}

/// Asks the database for the time unless it is known: with the first connections, before anything is written.
pub(crate) async fn set_by(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if !is_set() {
        let time = Question::ask();
        let at = sqlx::query_scalar!(r#"select clock_timestamp() as "at!""#)
            .fetch_one(connection)
            .await?;
        time.answered(at);
    }
    Ok(())
}

/// Takes note that the database's time is past this one: what is due to the database is due to us.
pub(crate) fn is_past(at: Time) {
    CLOCK.is_past(Instant::now(), at.timestamp_micros());
}

/// A statement that answers with `clock_timestamp()`, from the moment that it is sent.
#[derive(Debug)]
pub(crate) struct Question(Instant);

impl Question {
    pub(crate) fn ask() -> Self {
        Self(Instant::now())
    }

    /// Sets the clock by the answer.
    pub(crate) fn answered(self, at: Time) {
        CLOCK.told(self.0, Instant::now(), at.timestamp_micros());
        CLOCK.tell(host() - now());
    }
}

/// All times are microseconds since 1970.
#[derive(Debug)]
struct Clock {
    base: Instant,
    /// The database's time at `base`.
    at_base: AtomicI64,
    /// The latest time that was given out.
    given: AtomicI64,
    set: AtomicBool,
    /// Whether a wrong host was told of.
    told: AtomicBool,
    ids: Mutex<Ids>,
}

#[derive(Debug)]
struct Ids {
    context: ContextV7,
    last: i64,
}

impl Clock {
    fn new(base: Instant, host: Time) -> Self {
        Self {
            base,
            at_base: AtomicI64::new(host.timestamp_micros()),
            given: AtomicI64::new(i64::MIN),
            set: AtomicBool::new(false),
            told: AtomicBool::new(false),
            ids: Mutex::new(Ids {
                context: ContextV7::new(),
                last: i64::MIN,
            }),
        }
    }

    fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    fn since_base(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.base);
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX / 2)
    }

    fn now(&self, at: Instant) -> i64 {
        let now = self.at_base.load(Ordering::Relaxed) + self.since_base(at);
        let given = self.given.fetch_max(now, Ordering::Relaxed);
        if given <= now {
            now
        } else if given - now <= WAITED_OUT {
            given
        } else {
            self.given.store(now, Ordering::Relaxed);
            now
        }
    }

    fn id(&self, at: Instant) -> Uuid {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now(at);
        if ids.last.saturating_sub(now) > WAITED_OUT {
            // It would go on from the latest time that it knows.
            ids.context = ContextV7::new();
        }
        ids.last = now;
        let (seconds, micros) = (now.div_euclid(1_000_000), now.rem_euclid(1_000_000));
        Uuid::new_v7(Timestamp::from_unix(
            &ids.context,
            u64::try_from(seconds).unwrap_or(0),
            u32::try_from(micros * 1_000).unwrap_or(0),
        ))
    }

    /// It was `at` at some moment between these two. What we believe stays, unless it cannot be, or is later than
    /// the middle of a quick round trip: a clock that is behind by some of it meets no run that began in its future.
    fn told(&self, asked: Instant, answered: Instant, at: i64) {
        let earliest = at - self.since_base(answered);
        let latest = at - self.since_base(asked);
        let middle = earliest.midpoint(latest);
        let first = !self.set.load(Ordering::Acquire);
        let quick = latest - earliest <= QUICK;
        let corrected = |believed: i64| {
            if first {
                middle
            } else {
                believed.clamp(earliest, if quick { middle } else { latest })
            }
        };
        let _ = self
            .at_base
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |believed| {
                Some(corrected(believed))
            });
        self.set.store(true, Ordering::Release);
    }

    fn is_past(&self, answered: Instant, at: i64) {
        self.at_base
            .fetch_max(at - self.since_base(answered), Ordering::AcqRel);
    }

    /// Says once that this host's clock is wrong, and once that it is right again.
    fn tell(&self, skew: TimeDelta) {
        let wrong = skew.abs() > SKEW_MAX;
        if self.told.swap(wrong, Ordering::AcqRel) == wrong {
            return;
        }
        let ahead_ms = skew.num_milliseconds();
        if wrong {
            tracing::warn!(
                ahead_ms,
                "this host's clock is wrong; times go by the database's, which differs from it"
            );
        } else {
            tracing::info!(ahead_ms, "this host's clock is right again");
        }
    }
}

fn time(micros: i64) -> Time {
    Time::from_timestamp_micros(micros).unwrap_or(Time::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{Clock, Instant, WAITED_OUT, time};
    use std::time::Duration;

    const HOST: i64 = 1_800_000_000_000_000;
    const SECOND: i64 = 1_000_000;

    fn clock() -> (Clock, impl Fn(u64) -> Instant) {
        let base = Instant::now();
        (Clock::new(base, time(HOST)), move |ms| {
            base + Duration::from_millis(ms)
        })
    }

    #[test]
    fn the_first_answer_sets_it_to_the_middle_of_the_round_trip() {
        let (clock, at) = clock();
        assert_eq!(clock.now(at(0)), HOST);
        for database in [HOST + 300 * SECOND, HOST - 300 * SECOND] {
            let (clock, _) = (Clock::new(at(0), time(HOST)), clock.now(at(0)));
            clock.told(at(1_000), at(1_010), database);
            assert_eq!(clock.now(at(1_010)), database + 5_000);
            assert_eq!(clock.now(at(2_010)), database + SECOND + 5_000);
        }
    }

    #[test]
    fn a_slow_answer_says_nothing_new_and_a_quick_one_corrects() {
        let (clock, at) = clock();
        clock.told(at(0), at(2), HOST);
        let before = clock.now(at(5_000));
        // Read as it was sent, and seconds under way.
        clock.told(at(5_000), at(9_000), HOST + 5_000_000);
        assert_eq!(clock.now(at(9_000)), before + 4 * SECOND);
        clock.told(at(10_000), at(10_002), HOST + 10_050_000);
        assert_eq!(clock.now(at(10_002)), HOST + 10_050_000);
    }

    #[test]
    fn it_stands_still_for_small_corrections_and_follows_large_ones() {
        let (clock, at) = clock();
        clock.told(at(0), at(0), HOST);
        let before = clock.now(at(1_000));
        clock.told(at(1_000), at(1_000), before - WAITED_OUT / 2);
        assert_eq!(clock.now(at(1_100)), before);
        assert_eq!(clock.now(at(1_600)), before + 100_000);
        clock.told(at(2_000), at(2_000), HOST - 300 * SECOND);
        assert_eq!(clock.now(at(2_000)), HOST - 300 * SECOND);
    }

    #[test]
    fn what_is_due_to_the_database_is_past() {
        let (clock, at) = clock();
        clock.told(at(0), at(100), HOST);
        clock.is_past(at(200), HOST + 900_000);
        assert_eq!(clock.now(at(200)), HOST + 900_000);
        clock.is_past(at(300), HOST);
        assert_eq!(clock.now(at(300)), HOST + 1_000_000);
    }

    #[test]
    fn ids_grow_and_follow_the_clock_back() {
        let (clock, at) = clock();
        let ids: Vec<_> = (0..100).map(|n| clock.id(at(n / 10))).collect();
        assert!(ids.is_sorted());
        clock.told(at(20), at(20), HOST - 300 * SECOND);
        let id = clock.id(at(20));
        let (seconds, _) = id.get_timestamp().map_or((0, 0), |at| at.to_unix());
        assert_eq!(seconds, u64::try_from(HOST / SECOND).unwrap_or(0) - 300);
    }
}
