//! The sockets of calls to the world, over all hosts: those that carry a call and those kept for the next one.
//!
//! The client keeps idle connections per host and knows no bound over all of them. How many it can have is known here,
//! though: at a host no more than calls were ever under way there at once. When that sum would be more than the
//! process may have, a new client takes its place, and with the old one go its idle connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use stepwell_queue::descriptors;
use stepwell_workflow::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::{Position, Url};

use super::IDLE_MAX;

/// How long a call waits for a socket before its step rests: its run holds a slot all that time.
const PATIENCE: Duration = Duration::from_secs(1);
/// Failures of this type are shortages of this process: they cost no attempt.
pub(crate) const SHORTAGE: &str = "no_descriptors";

/// How another client is made.
pub(super) type Make = Box<dyn Fn() -> Result<Client, reqwest::Error> + Send + Sync>;

/// The sockets of one client.
pub(crate) struct Sockets {
    free: Arc<Semaphore>,
    most: usize,
    make: Make,
    used: Mutex<Used>,
}

struct Used {
    client: Client,
    hosts: HashMap<Box<str>, Host>,
    /// The sum of all peaks.
    peaks: usize,
}

#[derive(Clone, Copy)]
struct Host {
    calls: usize,
    /// The most calls at once since this client is used: so many connections it may have there.
    peak: usize,
    used_at: Instant,
}

/// The right to one call, with the client that makes it.
pub(crate) struct Socket {
    pub(super) client: Client,
    host: Box<str>,
    sockets: Arc<Sockets>,
    _permit: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl Sockets {
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(most: usize, make: Make) -> Result<Self, reqwest::Error> {
        let most = most.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            used: Mutex::new(Used {
                client: make()?,
                hosts: HashMap::new(),
                peaks: 0,
            }),
            make,
        })
    }

    pub(super) fn client(&self) -> Client {
        self.lock().client.clone()
    }

    /// Waits for a socket to the host of this URL.
    ///
    /// # Errors
    /// [`SHORTAGE`] when there was none in time.
    pub(super) async fn take(self: &Arc<Self>, url: &Url) -> Result<Socket, Failure> {
        let free = Arc::clone(&self.free);
        let permit = match Arc::clone(&free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(PATIENCE, free.acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(short("all sockets that it may have for calls are in use")),
            },
        };
        let host: Box<str> = url[Position::BeforeHost..Position::AfterPort].into();
        let mut used = self.lock();
        used.begin(&host, self.most, &self.make);
        Ok(Socket {
            client: used.client.clone(),
            host,
            sockets: Arc::clone(self),
            _permit: permit,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        // What is behind this lock is whole between any two calls.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of every idle connection: there are no descriptors left for a call.
    pub(super) fn drop_idle(&self) {
        self.lock().renew(&self.make);
    }
}

impl Used {
    fn begin(&mut self, host: &str, most: usize, make: &Make) {
        let now = Instant::now();
        let grows = self.hosts.get(host).is_none_or(|at| at.calls == at.peak);
        if grows && self.peaks >= most {
            self.prune(now);
            if self.peaks >= most {
                self.renew(make);
            }
        }
        if !self.hosts.contains_key(host) {
            let unused = Host {
                calls: 0,
                peak: 0,
                used_at: now,
            };
            self.hosts.insert(host.into(), unused);
        }
        let Some(at) = self.hosts.get_mut(host) else {
            return;
        };
        at.calls += 1;
        at.used_at = now;
        if at.calls > at.peak {
            self.peaks += at.calls - at.peak;
            at.peak = at.calls;
        }
    }

    fn end(&mut self, host: &str) {
        if let Some(at) = self.hosts.get_mut(host) {
            at.calls = at.calls.saturating_sub(1);
            at.used_at = Instant::now();
        }
    }

    /// Forgets hosts whose idle connections the client has closed by now.
    fn prune(&mut self, now: Instant) {
        self.hosts
            .retain(|_, at| at.calls > 0 || now.duration_since(at.used_at) <= IDLE_MAX * 2);
        self.peaks = self.hosts.values().map(|at| at.peak).sum();
    }

    /// Takes a new client; only calls that are under way have connections then.
    fn renew(&mut self, make: &Make) {
        match make() {
            Ok(client) => {
                self.client = client;
                self.hosts.retain(|_, at| at.calls > 0);
                for at in self.hosts.values_mut() {
                    at.peak = at.calls;
                }
                self.peaks = self.hosts.values().map(|at| at.peak).sum();
            }
            Err(error) => tracing::warn!(%error, "idle connections could not be dropped"),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.sockets.lock().end(&self.host);
    }
}

impl Socket {
    /// This process has no descriptor for the call: what is idle is let go of.
    pub(super) fn none_left(&self) -> Failure {
        self.sockets.drop_idle();
        short("it has no descriptors left")
    }
}

/// Makes the failure of a call for which there is no socket, and counts it.
fn short(why: &str) -> Failure {
    descriptors::ran_short("calls");
    Failure::retryable(SHORTAGE, format!("the worker is short of sockets: {why}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn sockets(most: usize) -> (Arc<Sockets>, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let make: Make = Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Client::builder().no_proxy().build()
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        (Arc::new(Sockets::new(most, make).unwrap()), made)
    }

    fn url(host: usize) -> Url {
        Url::parse(&format!("http://h{host}.example:80/x")).unwrap()
    }

    #[tokio::test]
    async fn idle_connections_of_many_hosts_are_dropped_with_their_client() {
        let (sockets, made) = sockets(3);
        for host in 0..3 {
            sockets.take(&url(host)).await.unwrap();
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        // Known hosts need no more than they have.
        sockets.take(&url(1)).await.unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 1);
        let kept = sockets.take(&url(3)).await.unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 2);
        assert_eq!(sockets.lock().peaks, 1);
        drop(kept);
    }

    #[tokio::test]
    async fn a_call_waits_a_little_for_a_socket() {
        let (sockets, _) = sockets(1);
        let first = sockets.take(&url(1)).await.unwrap();
        let failure = sockets.take(&url(2)).await.err().unwrap();
        assert_eq!(failure.kind, SHORTAGE);
        drop(first);
        assert!(sockets.take(&url(2)).await.is_ok());
    }
}
