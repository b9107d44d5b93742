//! Calls that never came to us: their message is too long or cannot be read, or nothing has their name.
//! The framework answers those by itself, in a few bare codes; here they become problems like any other.

use http::HeaderMap;
use tonic::{Code, Status};

use super::limits::MESSAGE_BYTES_MAX;
use crate::problem::{Kind, Problem};

/// All answers of ours that are not successes carry this.
const DETAILS: &str = "grpc-status-details-bin";

/// Returns the problem that the framework's own answer stands for; `None` when the answer is ours.
pub(super) fn problem(answer: &HeaderMap) -> Option<Problem> {
    if answer.contains_key(DETAILS) {
        return None;
    }
    let status = Status::from_header_map(answer)?;
    match status.code() {
        // Too long as it came, or once it is unpacked.
        Code::OutOfRange | Code::ResourceExhausted => Some(Problem::new(
            Kind::TooLarge,
            format!("A message may have up to {MESSAGE_BYTES_MAX} bytes."),
        )),
        // What is not framed, packed or encoded as the contract has it.
        Code::Internal => Some(Problem::new(
            Kind::MalformedBody,
            format!("The message cannot be read: {}.", status.message()),
        )),
        // With words it is about how the message is packed, and a header says how it may be.
        Code::Unimplemented if status.message().is_empty() => Some(Problem::new(
            Kind::MethodNotAllowed,
            "There is no such call. Reflection lists every one.",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: &Status) -> Option<Kind> {
        let answer = status.clone().into_http::<tonic::body::Body>();
        problem(answer.headers()).map(|problem| problem.kind())
    }

    #[test]
    fn what_the_framework_says_becomes_a_problem() {
        assert_eq!(kind(&Status::out_of_range("x")), Some(Kind::TooLarge));
        assert_eq!(kind(&Status::internal("x")), Some(Kind::MalformedBody));
        assert_eq!(
            kind(&Status::unimplemented("")),
            Some(Kind::MethodNotAllowed)
        );
        assert_eq!(kind(&Status::unimplemented("packed by x")), None);
        assert_eq!(kind(&Status::cancelled("x")), None);
    }

    #[test]
    fn what_we_said_stays() {
        let ours = Problem::new(Kind::Internal, "ours");
        let ours = super::super::refuse(&ours, &stepwell_queue::Actor::default());
        assert_eq!(kind(&ours), None);
    }
}
