//! Two budgets of this process: failed attempts per address, requests per principal. Each is a
//! bucket that fills up steadily, and whoever is idle is forgotten: memory is bounded.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::future::Cache;

use super::Budget;
use crate::admission::block;

/// Failed attempts that an address has at once: a person's typing errors, and a fleet of clients
/// behind one address after a key was revoked.
const FAILURES_AT_ONCE: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// How soon it has another: ten a minute.
const FAILURE_EVERY: Duration = Duration::from_secs(6);
/// Addresses, and principals, that are remembered: some 200 bytes each. Beyond it those used least
/// are forgotten, and begin anew.
const REMEMBERED_MAX: u64 = 50_000;
/// Idle for longer, and every bucket is full again.
const IDLE: Duration = Duration::from_secs(180);

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Buckets by their key.
struct Buckets<K> {
    quota: Quota,
    kept: Cache<K, Arc<Bucket>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Buckets<K> {
    fn new(quota: Quota) -> Self {
        let kept = Cache::builder()
            .max_capacity(REMEMBERED_MAX)
            .time_to_idle(IDLE)
            .build();
        Self { quota, kept }
    }

    async fn of(&self, key: K) -> Arc<Bucket> {
        let fresh = async {
            Arc::new(
                RateLimiter::direct(self.quota).with_middleware::<StateInformationMiddleware>(),
            )
        };
        self.kept.get_with(key, fresh).await
    }
}

/// Failed attempts per address.
pub(super) struct Failures(Buckets<IpAddr>);

impl Failures {
    pub(super) fn new() -> Self {
        let quota = Quota::with_period(FAILURE_EVERY)
            .unwrap_or(Quota::per_minute(FAILURES_AT_ONCE))
            .allow_burst(FAILURES_AT_ONCE);
        Self(Buckets::new(quota))
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// Seconds to wait, when there were too many.
    pub(super) async fn count(&self, from: IpAddr) -> Result<(), u32> {
        let bucket = self.0.of(block(from)).await;
        match bucket.check() {
            Ok(_) => Ok(()),
            Err(not_until) => Err(seconds(not_until.wait_time_from(bucket.clock().now())).max(1)),
        }
    }
}

/// Requests per principal.
pub(super) struct Requests {
    per_minute: NonZeroU32,
    buckets: Buckets<Arc<str>>,
}

impl Requests {
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        Self {
            per_minute,
            buckets: Buckets::new(Quota::per_minute(per_minute)),
        }
    }

    /// Counts a request, and tells what is left.
    ///
    /// # Errors
    /// The budget, when nothing was left.
    pub(super) async fn count(&self, principal: &Arc<str>) -> Result<Budget, Budget> {
        let bucket = self.buckets.of(Arc::clone(principal)).await;
        let limit = self.per_minute.get();
        let budget = |remaining: u32, retry_after| Budget {
            limit,
            remaining,
            reset: seconds(Duration::from_secs(60) * limit.saturating_sub(remaining) / limit),
            retry_after,
        };
        match bucket.check() {
            Ok(state) => Ok(budget(state.remaining_burst_capacity().min(limit), 0)),
            Err(not_until) => {
                let wait = not_until.wait_time_from(bucket.clock().now());
                Err(budget(0, seconds(wait).max(1)))
            }
        }
    }
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[tokio::test]
    async fn failures_run_out_for_one_address_and_its_block() {
        let failures = Failures::new();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..FAILURES_AT_ONCE.get() {
            assert_eq!(failures.count(address("2001:db8::1")).await, Ok(()));
        }
        let wait = failures.count(address("2001:db8::2")).await.unwrap_err();
        assert!((1..=6).contains(&wait), "{wait}");
        assert_eq!(failures.count(address("2001:db8:0:1::1")).await, Ok(()));
        assert_eq!(failures.count(address("127.0.0.1")).await, Ok(()));
    }

    #[tokio::test]
    async fn a_budget_counts_down_and_says_when_it_is_back() {
        let requests = Requests::new(NonZeroU32::new(3).unwrap());
        let name: Arc<str> = "key:a".into();
        for left in [2, 1, 0] {
            let budget = requests.count(&name).await.unwrap();
            assert_eq!(
                (budget.limit, budget.remaining, budget.retry_after),
                (3, left, 0)
            );
            assert_eq!(budget.reset, 20 * (3 - left));
        }
        let empty = requests.count(&name).await.unwrap_err();
        assert!((1..=20).contains(&empty.retry_after), "{empty:?}");
        assert!(requests.count(&"key:b".into()).await.is_ok());
    }

    #[tokio::test]
    async fn addresses_without_end_take_memory_within_bounds() {
        let failures = Failures::new();
        let many = u32::try_from(REMEMBERED_MAX).unwrap() + 5_000;
        for n in 0..many {
            let _ = failures.count(IpAddr::V4(n.into())).await;
        }
        failures.0.kept.run_pending_tasks().await;
        assert!(failures.0.kept.entry_count() <= REMEMBERED_MAX);
    }
}
