//! How much of the server one party may hold: slots for requests in work, and bytes for their bodies.
//!
//! A slot is taken when it is known who asks, so strangers hold none. What may take long has pools of
//! its own: whoever waits for a run's end, reports by a token or looks how the server is takes nothing
//! from the others. And in each pool there is a bound for each party, so nobody can hold all of it.

pub(crate) mod answer;
pub(crate) mod pool;
mod weight;

use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use pool::{Party, Pool, Share};
pub(crate) use weight::{Weight, kib};

use crate::limits::{
    ANSWERS_BYTES_MAX, BODIES_BYTES_MAX, CONTRACT_CALLS_MAX, PROBES_MAX, REQUESTS_MAX,
    TOKEN_BODIES_BYTES_MAX, TOKEN_REQUESTS_MAX, UNSURE_MAX, WAITS_MAX,
};
use crate::problem::{Kind, Problem};

/// The pools of one server, shared by REST and gRPC.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Requests and calls in work, of principals.
    pub(crate) requests: Arc<Pool>,
    /// Those that wait for something to happen.
    pub(crate) waits: Arc<Pool>,
    /// Those that are let in by a token of their own.
    pub(crate) tokens: Arc<Pool>,
    /// Looks at how the server is.
    pub(crate) probes: Arc<Pool>,
    /// Health and reflection over gRPC.
    pub(crate) contract: Arc<Pool>,
    /// Credentials that somebody is asked about.
    pub(crate) unsure: Arc<Pool>,
    /// KiB of bodies in work.
    pub(crate) bodies: Arc<Pool>,
    /// KiB of answers on their way.
    pub(crate) answers: Arc<Pool>,
    /// KiB of bodies of those that are let in by a token.
    pub(crate) token_bodies: Arc<Pool>,
}

impl Default for Admission {
    fn default() -> Self {
        let half = |most: usize| Arc::new(Pool::new(most, most / 2));
        let quarter = |most: usize| Arc::new(Pool::new(most, most / 4));
        Self {
            requests: half(REQUESTS_MAX),
            waits: half(WAITS_MAX),
            tokens: half(TOKEN_REQUESTS_MAX),
            probes: half(PROBES_MAX),
            contract: quarter(CONTRACT_CALLS_MAX),
            unsure: quarter(UNSURE_MAX),
            bodies: half(BODIES_BYTES_MAX >> 10),
            answers: half(ANSWERS_BYTES_MAX >> 10),
            token_bodies: half(TOKEN_BODIES_BYTES_MAX >> 10),
        }
    }
}

/// An IPv6 client commonly has a whole /64, so that is one address.
pub(crate) fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 => v4,
    }
}

/// Takes a slot of a pool.
///
/// # Errors
/// 503 when it is full, or when the party has its share of it.
pub(crate) fn enter(pool: &Arc<Pool>, party: &Party) -> Result<Share, Problem> {
    pool.take(party, 1).ok_or_else(busy)
}

/// The problem of a pool that is full.
pub(crate) fn busy() -> Problem {
    let words = "The server has as many requests in work as it allows itself, in all or from one \
                 client. Try again shortly.";
    Problem::new(Kind::Overloaded, words)
}
