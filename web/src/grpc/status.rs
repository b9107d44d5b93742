//! Problems as gRPC statuses, with the standard details.

use std::time::Duration;

use stepwell_queue::Actor;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::limits::TOLD_BYTES_MAX;
use crate::body::escape;
use crate::problem::{Fault, Kind, Problem};

/// Whose reasons these are.
const DOMAIN: &str = "stepwell";

/// Turns a problem into the status that says it. The cause goes to the log.
pub(super) fn refuse(problem: &Problem, actor: &Actor) -> Status {
    problem.log();
    let kind = problem.kind();
    let mut details = ErrorDetails::new();
    let request_id = actor.request_id.clone().unwrap_or_default();
    details.set_error_info(
        reason(kind),
        DOMAIN,
        [("request_id".to_owned(), request_id)],
    );
    if !problem.errors().is_empty() {
        let violation = |fault: &Fault| FieldViolation::new(place(fault), fault.detail.as_str());
        let mut left = TOLD_BYTES_MAX;
        let violations = problem.errors().iter().map(violation);
        let told = violations.take_while(|told| {
            left = left.saturating_sub(told.field.len() + told.description.len());
            left > 0
        });
        details.set_bad_request(told.collect::<Vec<_>>());
    }
    if let Some(seconds) = problem.retry_after() {
        details.set_retry_info(Some(Duration::from_secs(seconds.into())));
    }
    Status::with_error_details(code(kind), problem.detail(), details)
}

/// Where it is wrong, always as a JSON pointer: into the message, and as if the metadata were a field
/// of it (`/metadata/idempotency-key`).
fn place(fault: &Fault) -> String {
    match (&fault.pointer, &fault.parameter) {
        (Some(pointer), _) => pointer.clone(),
        (None, Some(key)) => format!("/metadata/{}", escape(&key.to_ascii_lowercase())),
        (None, None) => String::new(),
    }
}

/// `STATE_CONFLICT` of `urn:stepwell:problem:state-conflict`.
fn reason(kind: Kind) -> String {
    let slug = kind.uri().rsplit(':').next().unwrap_or_default();
    slug.replace('-', "_").to_ascii_uppercase()
}

fn code(kind: Kind) -> Code {
    match kind.status().as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        405 => Code::Unimplemented,
        409 if kind == Kind::NameTaken => Code::AlreadyExists,
        409 | 412 => Code::FailedPrecondition,
        413 | 429 => Code::ResourceExhausted,
        503 if kind == Kind::TimedOut => Code::DeadlineExceeded,
        503 => Code::Unavailable,
        500..=599 => Code::Internal,
        _ => Code::InvalidArgument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_the_problem_says() {
        let problem = Problem::invalid(vec![Fault::at("/input/age", "must be a number")]);
        let actor = Actor {
            request_id: Some("r-1".into()),
            ..Actor::default()
        };
        let status = refuse(&problem, &actor);
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        let info = details.error_info();
        assert_eq!(info.map(|info| info.reason.as_str()), Some("INVALID"));
        assert_eq!(
            info.and_then(|info| info.metadata.get("request_id")),
            Some(&"r-1".to_owned())
        );
        let fields = details.bad_request().map(|bad| &bad.field_violations);
        assert_eq!(
            fields.and_then(|fields| fields.first()).map(|f| &*f.field),
            Some("/input/age")
        );
    }

    #[test]
    fn whoever_may_come_back_hears_when() {
        let problem = Problem::new(Kind::Unavailable, "away");
        let status = refuse(&problem, &Actor::default());
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(wait(&status), Some(1));
        let problem = Problem::new(Kind::RateLimited, "later").with_header("retry-after", "6");
        assert_eq!(wait(&refuse(&problem, &Actor::default())), Some(6));
        // It would not help.
        let problem = Problem::new(Kind::TooLarge, "large");
        let status = refuse(&problem, &Actor::default());
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(wait(&status), None);
    }

    fn wait(status: &Status) -> Option<u64> {
        let details = status.get_error_details();
        let info = details.retry_info()?;
        info.retry_delay.map(|delay| delay.as_secs())
    }

    #[test]
    fn every_place_is_a_pointer() {
        let fault = Fault::parameter("Idempotency-Key", "must be");
        assert_eq!(place(&fault), "/metadata/idempotency-key");
        assert_eq!(place(&Fault::at("/input/a~1b", "must")), "/input/a~1b");
    }
}
