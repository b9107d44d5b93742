//! A wire between a process of ours and Postgres, on which a chosen statement meets with a blow.
//!
//! Random blows hardly ever hit the moment between two statements of one transaction. So this reads the
//! protocol: it knows which statement each request runs, and holds, loses, delays or cuts off that one.

mod carry;
mod frames;
mod proof;
mod session;
pub(crate) mod statement;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use super::Process;
use session::Request;

/// A statement that was seen to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seen {
    pub(crate) text: String,
    /// Whether that was in a transaction that was begun for several.
    pub(crate) inside: bool,
    /// Of a COMMIT: what was the last before it.
    pub(crate) after: Option<String>,
}

/// What happens to the chosen statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// Postgres does it; the process is stopped before it has the answer. Of a COPY: before its rows.
    Freeze,
    /// The process is stopped, and then Postgres gets the statement.
    FreezeBefore,
    /// Postgres does it, and the connection breaks before the answer.
    Lose,
    /// The connection breaks before Postgres gets it.
    Cut,
    /// Postgres gets it so much later.
    Delay(Duration),
}

/// Which statement it is.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As a whole, or a part of it.
    text: String,
    whole: bool,
    inside: Option<bool>,
    after: Option<String>,
    /// How many of its kind pass unharmed before it.
    passing: usize,
}

impl Target {
    /// The next statement that has this in it.
    pub(crate) fn with(text: &str) -> Self {
        Self {
            text: statement::plain(text),
            whole: false,
            inside: None,
            after: None,
            passing: 0,
        }
    }

    /// The next that is as one that was seen.
    pub(crate) fn like(seen: &Seen) -> Self {
        Self {
            whole: true,
            inside: Some(seen.inside),
            after: seen.after.clone(),
            ..Self::with(&seen.text)
        }
    }

    /// So many pass before it.
    pub(crate) fn passing(self, passing: usize) -> Self {
        Self { passing, ..self }
    }

    fn is(&self, request: &Request) -> bool {
        let Some(text) = &request.text else {
            return false;
        };
        let named = if self.whole {
            *text == self.text
        } else {
            text.contains(&self.text)
        };
        // What begins a transaction of several is in it as well, but nobody can tell before its answer.
        named
            && self.inside.is_none_or(|inside| inside == request.inside)
            && (self.after.is_none() || self.after == request.after)
    }
}

/// What all connections of one wire share.
#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    seen: Mutex<BTreeSet<Seen>>,
    trap: Mutex<Option<(Target, Blow)>>,
    hits: watch::Sender<usize>,
    held: watch::Sender<bool>,
    pid: watch::Sender<Option<Pid>>,
}

/// The wire. What is connected by it breaks with it.
#[derive(Debug)]
pub(crate) struct Wire {
    shared: Arc<Shared>,
    url: String,
    task: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    /// Lays one to a database.
    pub(crate) async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).unwrap();
        let server = format!("127.0.0.1:{}", url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        url.set_port(Some(port)).unwrap();
        let shared = Arc::new(Shared {
            server: server.parse().unwrap(),
            seen: Mutex::default(),
            trap: Mutex::default(),
            hits: watch::Sender::new(0),
            held: watch::Sender::new(false),
            pid: watch::Sender::new(None),
        });
        let task = tokio::spawn(carry::all(listener, Arc::clone(&shared)));
        Self {
            shared,
            url: url.into(),
            task,
        }
    }

    /// What the process is told of the database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Names the process at the near end: the one that is frozen.
    pub(crate) fn leads(&self, process: &Process) {
        let pid = i32::try_from(process.pid()).unwrap();
        self.shared.pid.send_replace(Some(Pid::from_raw(pid)));
    }

    /// The statements that came by.
    pub(crate) fn seen(&self) -> BTreeSet<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Forgets what came by so far.
    pub(crate) fn forget(&self) {
        self.shared.seen.lock().unwrap().clear();
    }

    /// Sets a trap, once.
    pub(crate) fn arm(&self, target: Target, blow: Blow) {
        *self.shared.trap.lock().unwrap() = Some((target, blow));
    }

    /// Takes the trap away.
    pub(crate) fn disarm(&self) {
        *self.shared.trap.lock().unwrap() = None;
    }

    /// Whether the trap has caught something.
    pub(crate) fn is_hit(&self) -> bool {
        *self.shared.hits.borrow() > 0
    }

    /// Waits until it has, as long as a test waits for anything.
    pub(crate) async fn meets(&self) {
        let met = tokio::time::timeout(super::PATIENCE, self.hit()).await;
        met.expect("the statement comes by");
    }

    /// Waits until it has.
    pub(crate) async fn hit(&self) {
        let mut hits = self.shared.hits.subscribe();
        hits.wait_for(|hits| *hits > 0).await.unwrap();
    }

    /// The frozen process goes on, and hears what it was kept from.
    pub(crate) fn thaw(&self) {
        let pid = *self.shared.pid.borrow();
        let _ = kill(pid.unwrap(), Signal::SIGCONT);
        self.shared.held.send_replace(false);
    }
}

impl Shared {
    fn blow(&self, request: &Request) -> Option<Blow> {
        let mut trap = self.trap.lock().unwrap();
        let (target, blow) = trap.as_mut().filter(|(target, _)| target.is(request))?;
        if target.passing > 0 {
            target.passing -= 1;
            return None;
        }
        let blow = *blow;
        *trap = None;
        Some(blow)
    }

    fn see(&self, done: Request, inside: bool) {
        let Some(text) = done.text else { return };
        let after = done.after.filter(|_| text == "COMMIT");
        let seen = Seen {
            text,
            inside,
            after,
        };
        self.seen.lock().unwrap().insert(seen);
    }

    fn hit(&self) {
        self.hits.send_modify(|hits| *hits += 1);
    }

    /// Stops the process, which must not be told of it by a connection that goes on.
    async fn freeze(&self) {
        let mut pid = self.pid.subscribe();
        let pid = pid.wait_for(Option::is_some).await.unwrap().unwrap();
        self.held.send_replace(true);
        kill(pid, Signal::SIGSTOP).unwrap();
        self.hit();
    }

    async fn thawed(&self) {
        let mut held = self.held.subscribe();
        let _ = held.wait_for(|held| !held).await;
    }
}
