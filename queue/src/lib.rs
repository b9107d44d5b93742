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
pub mod audit;
pub mod backend;
mod backoff;
pub mod claim;
pub mod commit;
pub mod counters;
pub mod deliver;
pub mod depth;
pub mod detached;
pub mod enqueue;
pub mod error;
pub mod external;
mod heed;
pub mod idempotency;
pub mod inbox;
mod link;
pub mod listen;
pub mod log;
mod memory;
pub mod migrate;
pub mod new_run;
mod notify;
mod partition;
pub mod run;
pub mod secret;
pub mod store;
mod text;
pub mod token;
pub mod worker;
pub mod workflow;

pub use actor::Actor;
pub use claim::Claimed;
pub use commit::{Changes, Committed, Committer, End};
pub use enqueue::Enqueued;
pub use error::Error;
pub use inbox::{Message, Retried, Sent};
pub use new_run::NewRun;
pub use run::Run;
pub use store::Store;
pub use worker::Worker;
pub use workflow::{NewWorkflow, PlannedVersion, Workflow};
