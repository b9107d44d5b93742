//! Every answer that is not a success is an RFC 9457 problem. Its kind and its words are ours;
//! the inner cause goes to the log, never to the client. What a problem says is bounded here, whoever
//! makes it: an answer is no longer than 64 KiB.

mod catch;
mod document;
mod fault;
mod kind;

use std::error::Error as StdError;
use std::fmt::Display;

use salvo::{Depot, Request, Response, Writer, async_trait};
use serde::Serialize;
use stepwell_workflow::told::{DETAIL_CHARS_MAX, brief};

pub use catch::{catcher, unanswered};
pub use document::describe;
pub use fault::{Fault, Faults};
pub use kind::Kind;

use crate::limits::RETRY_AFTER_SECONDS;
use crate::path;
use crate::request_id::RequestId;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Characters of the path that is repeated: a request's head may have far more.
const INSTANCE_CHARS_MAX: usize = 1_024;

const RETRY_AFTER: &str = "retry-after";

/// An answer that is not a success.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Faults,
    headers: Vec<(&'static str, String)>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Problem {
    /// Makes a problem of this kind. `detail` is one sentence for a person.
    pub fn new(kind: Kind, detail: impl Display) -> Self {
        Self {
            kind,
            detail: brief(detail, DETAIL_CHARS_MAX),
            errors: Faults::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// Adds what is wrong, each with its place.
    #[must_use]
    pub fn with_errors(mut self, errors: impl Into<Faults>) -> Self {
        self.errors = errors.into();
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds the inner cause, for the log alone.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says that there is no `what` (an agent, a workflow, a run) called `name`.
    #[must_use]
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(Kind::NotFound, format_args!("There is no {what} {name:?}."))
    }

    /// Says that rules are broken; lists them, within bounds.
    #[must_use]
    pub fn invalid(errors: impl Into<Faults>) -> Self {
        let errors = errors.into();
        Self::new(Kind::Invalid, sentence(&errors)).with_errors(errors)
    }

    /// Says that parameters cannot be used; lists them, within bounds.
    #[must_use]
    pub fn parameters(errors: impl Into<Faults>) -> Self {
        let errors = errors.into();
        Self::new(Kind::InvalidParameter, sentence(&errors)).with_errors(errors)
    }

    /// A fault of ours. The client hears a fixed sentence, the log hears `cause`.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, catch::INTERNAL_DETAIL).caused_by(cause)
    }

    /// Returns the sentence for a person.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns what is wrong, each with its place.
    #[must_use]
    pub fn errors(&self) -> &[Fault] {
        &self.errors
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the headers that go with the problem.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns after how many seconds it helps to come back, where it does.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        let said = self.headers().find(|(name, _)| *name == RETRY_AFTER);
        let said = said.and_then(|(_, seconds)| seconds.parse().ok());
        matches!(self.kind.status().as_u16(), 429 | 503)
            .then(|| said.unwrap_or(RETRY_AFTER_SECONDS))
    }

    /// Puts the problem into a response, and its cause into the log.
    pub fn render(self, path: &str, request_id: &str, res: &mut Response) {
        self.log();
        let retry_after = self.retry_after();
        let document = Document {
            uri: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            instance: &brief(path, INSTANCE_CHARS_MAX),
            request_id,
            errors: &self.errors,
        };
        res.status_code(self.kind.status());
        let headers = res.headers_mut();
        headers.remove(http::header::CONTENT_ENCODING);
        headers.remove(http::header::CONTENT_LENGTH);
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(MEDIA_TYPE),
        );
        if let Some(seconds) = retry_after {
            headers.insert(http::header::RETRY_AFTER, seconds.into());
        }
        for (name, value) in &self.headers {
            if let Ok(value) = http::HeaderValue::from_str(value) {
                headers.insert(*name, value);
            }
        }
        res.body(serde_json::to_vec(&document).unwrap_or_default());
    }

    /// Puts the cause, if there is one, into the log.
    pub(crate) fn log(&self) {
        let Some(cause) = &self.cause else { return };
        let mut chain = cause.to_string();
        let mut inner = cause.source();
        while let Some(error) = inner {
            chain = format!("{chain}: {error}");
            inner = error.source();
        }
        if self.kind == Kind::Internal {
            tracing::error!(cause = chain, "request failed");
        } else {
            tracing::warn!(cause = chain, kind = self.kind.uri(), "request refused");
        }
    }
}

/// The members in the order of the RFC.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    uri: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

fn sentence(errors: &Faults) -> String {
    match &**errors {
        _ if errors.is_over() => format!(
            "More than {} things are wrong; errors lists the first of them.",
            errors.len()
        ),
        [
            Fault {
                pointer: Some(pointer),
                detail,
                ..
            },
        ] if !pointer.is_empty() => {
            format!("{pointer} {detail}.")
        }
        [one] => format!("{}.", one.detail),
        many => format!("{} things are wrong; errors lists them.", many.len()),
    }
}

impl From<stepwell_queue::Error> for Problem {
    fn from(error: stepwell_queue::Error) -> Self {
        match error {
            stepwell_queue::Error::Unavailable(_) => Self::new(
                Kind::Unavailable,
                "The database is not available. Try again shortly.",
            )
            .caused_by(error),
            other => Self::internal(other),
        }
    }
}

#[async_trait]
impl Writer for Problem {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        let request_id = RequestId::of(depot);
        self.render(&path::shown(req), &request_id, res);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Fault, Kind, Problem};
    use salvo::Response;

    #[test]
    fn uris_differ() {
        let mut uris: Vec<_> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
        uris.sort_unstable();
        uris.dedup();
        assert_eq!(uris.len(), Kind::ALL.len());
    }

    #[test]
    fn a_problem_has_every_member_and_hides_its_cause() {
        let mut res = Response::new();
        Problem::invalid(vec![Fault::at("/url", "must be http or https")])
            .caused_by("secret")
            .render("/api/v1/agents", "r-1", &mut res);
        assert_eq!(res.status_code.unwrap().as_u16(), 422);
        assert_eq!(res.headers()["content-type"], "application/problem+json");
        let salvo::http::ResBody::Once(bytes) = res.take_body() else {
            unreachable!("the body is one piece")
        };
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:stepwell:problem:invalid", "title": "The body breaks a rule",
                "status": 422, "detail": "/url must be http or https.", "instance": "/api/v1/agents",
                "request_id": "r-1", "errors": [{"pointer": "/url", "detail": "must be http or https"}],
            })
        );
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        let mut res = Response::new();
        Problem::new(Kind::Unavailable, "away").render("/", "r", &mut res);
        assert_eq!(res.headers()["retry-after"], "1");
    }
}
