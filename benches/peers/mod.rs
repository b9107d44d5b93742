//! Stepwell beside others, measured by a harness that knows nothing of it.
//!
//! The harness is a directory with `install.sh`, `cluster.sh` and `bench.py`; for each peer it
//! starts a runner, a program that speaks its protocol. [`runner`] is Stepwell's; `harness.py`
//! makes it known to the harness without changing a file there. [`harness`] runs it all, and
//! [`standing`] says how they stand to each other.

pub(crate) mod harness;
pub(crate) mod runner;
pub(crate) mod standing;
