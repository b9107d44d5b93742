//! Units of something that there is only so much of, with a bound for each party.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::block;

/// Somebody who may not have it all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    /// Who it is, by its credentials.
    Principal(Arc<str>),
    /// Nobody was asked, so it is wherever the request came from.
    Address(IpAddr),
    /// Not even that is known.
    Unknown,
}

impl Party {
    /// Returns the party of an address.
    pub(crate) fn at(address: Option<IpAddr>) -> Self {
        address.map_or(Self::Unknown, |address| Self::Address(block(address)))
    }
}

/// So many units in all, and so many for each party.
#[derive(Debug)]
pub(crate) struct Pool {
    most: usize,
    each: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    /// Of those that hold some.
    by: HashMap<Party, usize>,
}

impl Pool {
    pub(crate) fn new(most: usize, each: usize) -> Self {
        Self {
            most,
            each,
            held: Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Takes units, if they are there. Whoever wants more than anybody may have gets that much: by
    /// itself even the largest piece of work is done.
    pub(crate) fn take(self: &Arc<Self>, party: &Party, units: usize) -> Option<Share> {
        let units = units.min(self.each);
        let mut held = self.held();
        let own = held.by.get(party).copied().unwrap_or(0);
        if held.all + units > self.most || own + units > self.each {
            return None;
        }
        held.all += units;
        held.by.insert(party.clone(), own + units);
        Some(Share {
            pool: Arc::clone(self),
            party: party.clone(),
            units,
        })
    }

    /// Takes units as soon as they are there, at the longest within this time.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        party: &Party,
        units: usize,
        time: Duration,
    ) -> Option<Share> {
        let taken = async {
            loop {
                let freed = self.freed.notified();
                tokio::pin!(freed);
                // Before the look, so that nothing is missed.
                freed.as_mut().enable();
                if let Some(share) = self.take(party, units) {
                    return share;
                }
                freed.await;
            }
        };
        tokio::time::timeout(time, taken).await.ok()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Units that somebody holds until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Arc<Pool>,
    party: Party,
    units: usize,
}

impl Share {
    /// Returns how much more it would need to be this large.
    pub(crate) fn missing(&self, units: usize) -> usize {
        units.min(self.pool.each).saturating_sub(self.units)
    }

    /// Takes in what another holds of the same pool.
    pub(crate) fn join(&mut self, mut other: Self) {
        self.units += std::mem::take(&mut other.units);
    }

    /// Makes it this large, if it is smaller and more is there.
    pub(crate) fn grow(&mut self, units: usize) -> bool {
        let more = self.missing(units);
        if more == 0 {
            return true;
        }
        let taken = self.pool.take(&self.party, more);
        taken.map(|taken| self.join(taken)).is_some()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.units == 0 {
            return;
        }
        let mut held = self.pool.held();
        held.all -= self.units;
        if let Some(own) = held.by.get_mut(&self.party) {
            *own -= self.units;
            if *own == 0 {
                held.by.remove(&self.party);
            }
        }
        drop(held);
        self.pool.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn party(name: &str) -> Party {
        Party::Principal(name.into())
    }

    #[test]
    fn nobody_holds_it_all_and_nothing_is_kept_of_those_who_left() {
        let pool = Arc::new(Pool::new(4, 2));
        let a = pool.take(&party("a"), 1).unwrap();
        let mut more = pool.take(&party("a"), 1).unwrap();
        assert!(pool.take(&party("a"), 1).is_none());
        assert!(!more.grow(2));
        let b = pool.take(&party("b"), 100).unwrap();
        assert!(pool.take(&party("c"), 1).is_none());
        drop((a, b));
        assert!(more.grow(2) && more.grow(100));
        drop(more);
        let left = pool.held();
        assert_eq!((left.all, left.by.len()), (0, 0));
    }

    #[test]
    fn an_ipv6_network_is_one_party() {
        let at = |text: &str| Party::at(text.parse().ok());
        assert_eq!(at("2001:db8::1"), at("2001:db8::2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:127.0.0.1"), at("127.0.0.1"));
    }

    #[tokio::test]
    async fn whoever_waits_gets_what_another_leaves() {
        let pool = Arc::new(Pool::new(2, 2));
        let held = pool.take(&party("a"), 2).unwrap();
        let second = Duration::from_secs(1);
        let moment = Duration::from_millis(20);
        assert!(pool.wait(&party("b"), 1, moment).await.is_none());
        let b = party("b");
        let waits = pool.wait(&b, 1, second);
        let (got, ()) = tokio::join!(waits, async { drop(held) });
        assert!(got.is_some());
    }
}
