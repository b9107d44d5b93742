//! Stepwell on Postgres: every SQL statement of the product.
//!
//! Callers hold a [`Store`] and speak in domain types; nothing here knows HTTP, and nothing that
//! crosses this crate's edge is a database row.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "module headers show the way to the rooms behind them"
)]

pub mod actor;
pub mod agent;
pub mod apart;
pub mod appeal;
pub mod audit;
pub mod backend;
mod backoff;
pub mod claim;
pub mod clock;
pub mod commit;
mod copy;
pub mod counters;
mod day;
pub mod deliver;
pub mod delivery;
pub mod depth;
pub mod descriptors;
pub mod detached;
pub mod enqueue;
pub mod error;
pub mod external;
pub mod feed;
pub mod fork;
mod heed;
pub mod idempotency;
pub mod inbox;
pub mod invariants;
pub mod key;
mod link;
pub mod listen;
pub mod log;
mod memory;
pub mod migrate;
pub mod new_run;
mod notify;
mod outbox;
pub mod page;
mod partition;
pub mod place;
mod pooler;
mod prompt;
pub mod queues;
pub mod record;
pub mod retention;
mod revision;
pub mod rotate;
pub mod run;
pub mod schedule;
pub mod seat;
pub mod secret;
pub mod server;
pub mod store;
pub mod subscription;
mod text;
mod timeline;
pub mod token;
pub mod transaction;
pub mod worker;
pub mod workflow;

pub use actor::Actor;
pub use apart::Apart;
pub use claim::Claimed;
pub use commit::{Changes, Committed, Committer, Committing, End};
pub use enqueue::Enqueued;
pub use error::Error;
pub use inbox::{Message, Retried, Sent};
pub use new_run::NewRun;
pub use revision::Revision;
pub use run::Run;
pub use store::Store;
pub use worker::Worker;
pub use workflow::{NewWorkflow, PlannedVersion, Workflow};
