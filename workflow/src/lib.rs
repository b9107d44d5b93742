//! The pure core of Stepwell: what a workflow is, and what happens next in a run of one.
//!
//! Nothing here does I/O, reads a clock or draws a random number. A definition comes in as JSON,
//! is checked by [`validate`] and compiled into a [`Plan`]; a run is a [`RunState`] that only
//! [`RunState::advance`] may change. Given the same plan, the same stored steps and the same
//! events, it always decides the same: a driver may crash at any line, load what was committed
//! and go on.

pub mod advance;
pub mod definition;
pub mod event;
pub mod expression;
pub mod failure;
pub mod fork;
pub mod headers;
mod instant;
pub mod limits;
pub mod payload;
pub mod plan;
pub mod retry;
pub mod secrets;
pub mod snapshot;
pub mod state;
pub mod status;
pub mod told;
pub mod validate;

pub use advance::Decision;
pub use definition::Definition;
pub use event::{Attempt, Call, Effect, Event, Outcome, Record, WantedChild};
pub use expression::Allowance;
pub use failure::Failure;
pub use plan::Plan;
pub use snapshot::{RunHeader, StepSnapshot};
pub use state::{BlockedOn, RunState, StepKey};
pub use status::{RunStatus, StepStatus};

/// An instant, always UTC. The caller owns the clock.
pub type Time = chrono::DateTime<chrono::Utc>;
