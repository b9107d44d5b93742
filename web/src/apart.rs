//! Checks that take long, off the threads that answer everybody else.
//!
//! A definition of a megabyte takes the better part of a second to compile, an input of four to compare
//! with a schema. Small ones, nearly all, are checked where they are: that is over before another thread
//! would have begun.

use stepwell_queue::Apart;

use crate::limits::{
    CHECK_PATIENCE, CHECKED_IN_PLACE_BYTES_MAX, CHECKS_AT_ONCE, CHECKS_WAITING_MAX,
};
use crate::problem::{Kind, Problem};

static CHECKS: Apart = Apart::new(CHECKS_AT_ONCE, CHECKS_WAITING_MAX);

/// Calls what goes through so many bytes of a client's JSON.
///
/// # Errors
/// 503 with `Retry-After`, when as many wait for that as may, or its turn does not come.
pub(crate) async fn by_size<T>(bytes: usize, call: impl FnOnce() -> T) -> Result<T, Problem> {
    if bytes <= CHECKED_IN_PLACE_BYTES_MAX {
        return Ok(call());
    }
    let called = CHECKS.call_unless_crowded(CHECK_PATIENCE, call).await;
    called.map_err(|_crowded| {
        Problem::new(
            Kind::Overloaded,
            "The server checks as many large documents as it allows itself; try again.",
        )
    })
}
