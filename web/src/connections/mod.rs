//! The open connections of one socket: how many there are, and which must go when there are too many.
//!
//! A connection is a stranger's until a request of it was let in. While there is room nobody minds;
//! when there is none, the stranger that is here for the longest makes room for whoever comes. Where
//! there are none, a few more are let in for two seconds: time for a probe to be answered.

mod calm;
mod stream;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

pub(crate) use calm::Calm;
pub(crate) use stream::{Limits, Stream};

use crate::admission::block;
use crate::limits::SPARE_CONNECTIONS;

/// Those of one socket.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    /// From one address: half, so that nobody fills it alone.
    each: usize,
    state: Mutex<State>,
    /// Connections of strangers that were closed.
    closed: Calm,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: HashMap<SocketAddr, Open>,
    /// By age.
    strangers: BTreeMap<u64, SocketAddr>,
    from: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Open {
    number: u64,
    end: CancellationToken,
}

/// How a connection is taken in.
pub(crate) enum Entry {
    /// For as long as it behaves.
    Open(Ticket),
    /// For two seconds.
    Brief(Ticket),
    /// Not at all.
    Refused,
}

impl Connections {
    /// Makes the account of a socket that takes so many.
    #[must_use]
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            each: most / 2,
            state: Mutex::default(),
            closed: Calm::default(),
        }
    }

    /// Takes in a connection, and makes room for it where there is none.
    pub(crate) fn enter(self: &Arc<Self>, peer: SocketAddr) -> Entry {
        let mut state = self.state();
        let address = block(peer.ip());
        let own = state.from.get(&address).copied().unwrap_or(0);
        let mut full = false;
        if own >= self.each {
            full = !state.give_way(|other| block(other.ip()) == address);
        } else if state.open.len() >= self.most {
            full = !state.give_way(|_| true);
        }
        if state.open.len() >= self.most + SPARE_CONNECTIONS {
            drop(state);
            self.note("as there are too many");
            return Entry::Refused;
        }
        let number = state.next;
        state.next += 1;
        let end = CancellationToken::new();
        let open = Open {
            number,
            end: end.clone(),
        };
        // The kernel gives an address again as soon as it is free, which may be before we hear of it.
        if let Some(before) = state.open.insert(peer, open) {
            state.strangers.remove(&before.number);
        } else {
            *state.from.entry(address).or_default() += 1;
        }
        state.strangers.insert(number, peer);
        drop(state);
        let ticket = Ticket {
            connections: Arc::clone(self),
            peer,
            number,
            end,
        };
        if full {
            Entry::Brief(ticket)
        } else {
            Entry::Open(ticket)
        }
    }

    /// Notes that a request of this connection was let in.
    pub(crate) fn known(&self, peer: SocketAddr) {
        let mut state = self.state();
        if let Some(number) = state.open.get(&peer).map(|open| open.number) {
            state.strangers.remove(&number);
        }
    }

    /// Closes the connection of the stranger that is here for the longest: descriptors ran out.
    pub(crate) fn make_room(&self) {
        self.state().give_way(|_| true);
    }

    /// Notes that a connection of a stranger was closed: once a second, however many there are.
    pub(crate) fn note(&self, why: &'static str) {
        if let Some(connections) = self.closed.count() {
            tracing::info!(connections, why, "connections of strangers were closed");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the oldest stranger that fits; `false` when there is none.
    fn give_way(&mut self, fits: impl Fn(&SocketAddr) -> bool) -> bool {
        let oldest = self.strangers.iter().find(|(_, peer)| fits(peer));
        let Some((number, peer)) = oldest.map(|(number, peer)| (*number, *peer)) else {
            return false;
        };
        self.strangers.remove(&number);
        if let Some(open) = self.open.get(&peer) {
            open.end.cancel();
        }
        true
    }
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    connections: Arc<Connections>,
    peer: SocketAddr,
    number: u64,
    end: CancellationToken,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.strangers.remove(&self.number);
        if state
            .open
            .get(&self.peer)
            .is_some_and(|open| open.number == self.number)
        {
            state.open.remove(&self.peer);
            let address = block(self.peer.ip());
            if let Some(own) = state.from.get_mut(&address) {
                *own -= 1;
                if *own == 0 {
                    state.from.remove(&address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn peer(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], port))
    }

    fn open(entry: Entry) -> Ticket {
        match entry {
            Entry::Open(ticket) => ticket,
            _ => panic!("there is room"),
        }
    }

    #[test]
    fn the_oldest_stranger_gives_way_and_those_who_are_known_stay() {
        let connections = Arc::new(Connections::new(4));
        let all: Vec<_> = (1..=4)
            .map(|n| open(connections.enter(peer(n, 1))))
            .collect();
        connections.known(peer(1, 1));
        let next = open(connections.enter(peer(5, 1)));
        let ended: Vec<_> = all.iter().map(|ticket| ticket.end.is_cancelled()).collect();
        assert_eq!(ended, [false, true, false, false]);
        for n in 3..=5 {
            connections.known(peer(n, 1));
        }
        drop(all);
        drop(next);
        assert!(connections.state().open.is_empty() && connections.state().from.is_empty());
    }

    #[test]
    fn one_address_makes_room_for_itself_and_a_full_house_has_a_few_spare_ones() {
        let connections = Arc::new(Connections::new(4));
        let first = open(connections.enter(peer(1, 1)));
        let other = open(connections.enter(peer(2, 1)));
        let second = open(connections.enter(peer(1, 2)));
        let _third = open(connections.enter(peer(1, 3)));
        assert!(first.end.is_cancelled() && !other.end.is_cancelled());
        connections.known(peer(1, 2));
        connections.known(peer(1, 3));
        connections.known(peer(2, 1));
        drop(first);
        assert!(!second.end.is_cancelled());
        let spare: Vec<_> = (10..)
            .map(|port| connections.enter(peer(1, port)))
            .take_while(|entry| !matches!(entry, Entry::Refused))
            .take(SPARE_CONNECTIONS * 2)
            .collect();
        assert!(matches!(spare[0], Entry::Brief(_)));
        assert!(connections.state().open.len() <= 4 + SPARE_CONNECTIONS);
    }
}
