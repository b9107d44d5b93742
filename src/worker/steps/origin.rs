//! What every attempt of a run shares, and what each of its calls therefore carries.

use std::sync::Arc;

use ::http::HeaderMap;
use stepwell_queue::detached::Place;
use stepwell_workflow::{Attempt, Failure};
use uuid::Uuid;

use super::put;
use crate::worker::outbound::trace::Trace;

/// Characters of a request id: what the API takes as `X-Request-ID`.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// What every attempt of a run shares.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) run_id: Uuid,
    /// The slug.
    pub(crate) workflow: Arc<str>,
    /// What calls carry as `X-Request-ID`.
    pub(crate) request_id: String,
    trace: Trace,
}

impl Origin {
    /// Takes what is stored of the request that started the run. A request id that no header can
    /// carry is replaced by the run's id, and where there is no `traceparent` the run is a trace of its own.
    pub(crate) fn new(
        run_id: Uuid,
        workflow: Arc<str>,
        request_id: Option<String>,
        traceparent: Option<&str>,
    ) -> Self {
        Self {
            run_id,
            workflow,
            request_id: request_id
                .filter(|id| is_request_id(id))
                .unwrap_or_else(|| run_id.to_string()),
            trace: traceparent
                .and_then(Trace::read)
                .unwrap_or_else(|| Trace::of_a_run(run_id)),
        }
    }

    /// Returns the `traceparent` that goes on to one child or call; each needs its own.
    pub(crate) fn traceparent(&self) -> String {
        self.trace.of_a_call()
    }

    /// Returns `<run>/<step>/<generation>`, the same for every attempt of a step.
    pub(super) fn idempotency_key(&self, attempt: &Attempt) -> String {
        format!("{}/{}/{}", self.run_id, attempt.name, attempt.generation)
    }

    /// Names an attempt.
    pub(super) fn place(&self, attempt: &Attempt) -> Place {
        Place {
            run_id: self.run_id,
            key: attempt.key,
            generation: attempt.generation,
            attempt: attempt.attempt,
        }
    }

    /// Returns the headers of one call; every call needs its own.
    pub(super) fn headers(&self, idempotency_key: &str) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::with_capacity(8);
        put(&mut headers, "idempotency-key", idempotency_key)?;
        put(&mut headers, "x-request-id", &self.request_id)?;
        put(&mut headers, "traceparent", &self.traceparent())?;
        Ok(headers)
    }
}

fn is_request_id(text: &str) -> bool {
    (1..=REQUEST_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use stepwell_queue::clock;

    fn origin(request_id: Option<&str>, traceparent: Option<&str>) -> Origin {
        let request_id = request_id.map(str::to_owned);
        Origin::new(Uuid::nil(), "orders".into(), request_id, traceparent)
    }

    #[test]
    fn a_request_id_goes_along_if_a_header_can_carry_it() {
        let check = |stored: Option<&str>, sent: &str| {
            let headers = origin(stored, None).headers("key").unwrap();
            assert_eq!(headers["x-request-id"], sent, "{stored:?}");
        };
        let run = Uuid::nil().to_string();
        let longest = "x".repeat(REQUEST_ID_CHARS_MAX);
        check(Some("request-1"), "request-1");
        check(Some(&longest), &longest);
        check(None, &run);
        for wrong in [
            "",
            "two words",
            "naïve",
            "a\r\nb: c",
            &format!("{longest}x"),
        ] {
            check(Some(wrong), &run);
        }
    }

    #[test]
    fn every_call_has_a_parent_of_its_own() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let origin = origin(None, Some(given));
        let sent = || origin.headers("key").unwrap()["traceparent"].clone();
        let (first, second) = (sent(), sent());
        assert_ne!(first, second);
        for sent in [first, second] {
            let sent = sent.to_str().unwrap();
            assert!(
                sent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"),
                "{sent}"
            );
            assert_ne!(sent, given);
        }
    }

    #[test]
    fn a_run_without_a_trace_is_one_of_its_own() {
        let run_id = clock::id();
        for stored in [None, Some("nonsense")] {
            let origin = Origin::new(run_id, "orders".into(), None, stored);
            let headers = origin.headers("key").unwrap();
            let sent = headers["traceparent"].to_str().unwrap();
            let own = format!("00-{}-", run_id.simple());
            assert!(sent.starts_with(&own) && sent.ends_with("-00"), "{sent}");
        }
    }
}
