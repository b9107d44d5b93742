//! Problems as gRPC statuses, with the standard details.

use std::time::Duration;

use stepwell_queue::Actor;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::limits::RETRY_AFTER_SECONDS;
use crate::problem::{Kind, Problem};

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
        let violation = |fault: &crate::problem::Fault| {
            let place = fault.pointer.as_ref().or(fault.parameter.as_ref());
            FieldViolation::new(
                place.map(String::as_str).unwrap_or_default(),
                fault.detail.as_str(),
            )
        };
        details.set_bad_request(problem.errors().iter().map(violation).collect::<Vec<_>>());
    }
    let code = code(kind);
    if matches!(code, Code::Unavailable | Code::ResourceExhausted) {
        details.set_retry_info(Some(Duration::from_secs(RETRY_AFTER_SECONDS.into())));
    }
    Status::with_error_details(code, problem.detail(), details)
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
    use crate::problem::Fault;

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
        assert!(status.get_error_details().retry_info().is_some());
    }
}
