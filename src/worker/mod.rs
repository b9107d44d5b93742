//! The worker: takes runs from its queues and drives them.
//!
//! [`Runtime`] holds one worker. It registers, claims runs through an apalis backend, hands each to
//! a driver in a task of its own, and ends in order when it is asked to. Build your own worker
//! binary on it to run functions of your own as steps of type `task`:
//!
//! ```no_run
//! # async fn f(store: stepwell_queue::Store) -> anyhow::Result<()> {
//! use stepwell::worker::{Runtime, TaskCall, TaskError};
//!
//! let runtime = Runtime::builder(store)
//!     .task("double", |call: TaskCall| async move {
//!         let n = call.input["n"].as_i64().ok_or_else(|| TaskError::fatal("`n` must be a number"))?;
//!         Ok(serde_json::json!({ "n": n * 2 }))
//!     })
//!     .build()?;
//! let stop = tokio_util::sync::CancellationToken::new();
//! runtime.run(stop).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A run belongs to one driver; see `driver` for what happens to it, `steps` for what attempts do,
//! `outbound` for calls to the world, and `stack` for the seam to apalis.

mod builder;
mod context;
mod delivery;
mod detached;
mod driver;
pub mod metrics;
mod outbound;
pub mod pulse;
mod runtime;
mod seats;
pub mod settings;
mod stack;
mod steps;
mod tasks;

pub use builder::{Builder, RuntimeError};
pub use metrics::Metrics;
pub use runtime::Runtime;
pub use settings::WorkerSettings;
pub use tasks::{Level, TaskCall, TaskError};
