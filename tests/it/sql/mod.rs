//! The door for SQL, through psql as an operator would use it.

mod agreement;
mod blocked;
mod control;
mod documentation;
mod execute;
mod plans;
pub(crate) mod psql;
mod queues;
mod refusals;
mod roles;
mod scaling;
mod schema;
mod steps;
mod workers;
