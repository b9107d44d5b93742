//! Stepwell: durable workflows on plain PostgreSQL.
//!
//! The binary `stepwell` is all that most need. This library is for those who build a worker of
//! their own, with functions of their own as steps: see [`worker`].

pub mod huge_pages;
pub mod worker;

pub use stepwell_queue as queue;
pub use stepwell_workflow as workflow;
