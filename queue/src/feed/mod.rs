//! What happens, as it happens. The audit record of a change is written in the change's own commit, so
//! the audit log is the outbox, and whoever wants to hear reads it: nothing is sent from within a
//! transaction, and nothing is lost.
//!
//! [`watch`] follows single runs by their own numbers, any number of listeners on one connection.
//! [`page`] reads all records from a [`cursor`] that survives restarts, each exactly once and in the
//! order of their time; [`tail`] shares that reading among the listeners of a process. A slow listener
//! is never waited for: its buffer is bounded, and what it missed is read again from the database.
//!
//! [`interest`]: who listens says so, and only then do workers say, after a commit, what moved. Hints
//! may be lost, so both also ask a few times a second.

mod cursor;
mod interest;
mod page;
mod record;
mod snapshot;
mod summary;
mod tail;
mod watch;

pub use cursor::{Cursor, NoCursor};
pub use page::{Fed, FeedPage};
pub use record::FeedRecord;
pub use tail::Tail;
pub use watch::{RunWatch, Watched};

pub(crate) use interest::Interest;

/// What all clones of a store share of the feed.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    watches: std::sync::Arc<watch::Watches>,
    tails: tail::Tails,
    summary: summary::Summary,
}
