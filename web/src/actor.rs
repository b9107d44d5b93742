//! Who asks, as it goes into the audit records. Without keys everybody is anonymous, and the
//! process listens on loopback only.

use salvo::oapi::{Components, Operation};
use salvo::{Depot, Request};

use crate::extract::{Take, extractor};
use crate::problem::Problem;
use crate::request_id::RequestId;

const ANONYMOUS: &str = "anonymous";

/// The one who sent the request in work.
#[derive(Clone, Debug)]
pub struct Caller(pub stepwell_queue::Actor);

impl Take for Caller {
    async fn take(_req: &mut Request, depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        Ok(Self(stepwell_queue::Actor {
            name: ANONYMOUS.into(),
            request_id: Some(RequestId::of(depot)),
        }))
    }

    fn describe(_components: &mut Components, _operation: &mut Operation, _arg: &str) {}
}
extractor!(Caller);
