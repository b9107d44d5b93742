//! Why a token is of no use.

use stepwell_queue::deliver::Delivered;

use crate::problem::{Kind, Problem};

/// Returns the problem of what was not taken in; `None` when it was, now or before.
#[must_use]
pub fn refused(delivered: Delivered) -> Option<Problem> {
    let (kind, detail) = match delivered {
        Delivered::Accepted | Delivered::Again => return None,
        Delivered::Unknown => (
            Kind::NotFound,
            "This token is none that was given out for this path.",
        ),
        Delivered::Expired => (
            Kind::Expired,
            "The step's timeout is over: nobody waits for this attempt any more.",
        ),
        Delivered::Over => (
            Kind::StateConflict,
            "The attempt is over: it ended otherwise, is made again, or its run is over.",
        ),
        Delivered::Contradicted => (
            Kind::StateConflict,
            "Another result was reported for this attempt before, and that one counts.",
        ),
        Delivered::LeaseLost => (
            Kind::StateConflict,
            "The lease is over, and somebody else has taken this work since.",
        ),
    };
    Some(Problem::new(kind, detail))
}
