//! Who asks, as it goes into the audit records: the principal that the door let in.

use http::HeaderMap;
use salvo::oapi::{Components, Operation};
use salvo::{Depot, Request};

use crate::auth::Principal;
use crate::extract::{Take, extractor};
use crate::limits::TRACEPARENT_CHARS_MAX;
use crate::problem::Problem;
use crate::request_id::RequestId;

/// The one who sent the request in work.
#[derive(Clone, Debug)]
pub struct Caller(pub stepwell_queue::Actor);

impl Take for Caller {
    async fn take(req: &mut Request, depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        let principal = depot
            .get_typed::<Principal>()
            .map_err(|_| Problem::internal("a request came past the door"))?;
        Ok(Self(stepwell_queue::Actor {
            name: principal.name.to_string(),
            request_id: Some(RequestId::of(depot)),
            traceparent: traceparent(req.headers()),
        }))
    }

    fn describe(_components: &mut Components, _operation: &mut Operation, _arg: &str) {}
}
extractor!(Caller);

/// The caller's trace, if it names one. Whoever hands it on looks at what it says; here it is only
/// kept from being endless.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    (value.len() <= TRACEPARENT_CHARS_MAX).then(|| value.to_owned())
}
