//! What no handler answered (an unknown path, a wrong method, a panic) is a problem as well.

use http::StatusCode;
use salvo::catcher::Catcher;
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};

use super::{Kind, Problem};
use crate::path;
use crate::request_id::RequestId;

/// All that a client hears of a fault of ours.
pub(super) const INTERNAL_DETAIL: &str =
    "Something went wrong on the server. Its log says what, under this request id.";

/// Returns the catcher of the whole service.
#[must_use]
pub fn catcher() -> Catcher {
    Catcher::new(Unanswered)
}

struct Unanswered;

#[async_trait]
impl Handler for Unanswered {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        _ctrl: &mut FlowCtrl,
    ) {
        render(req, depot, res);
    }
}

/// Answers a HEAD request that no handler answered: the framework asks its catcher for all but those.
pub fn unanswered(req: &Request, depot: &Depot, res: &mut Response) {
    let is_error = res.status_code.is_some_and(|status| status.as_u16() >= 400);
    if is_error && res.body.is_none() {
        render(req, depot, res);
    }
}

fn render(req: &Request, depot: &Depot, res: &mut Response) {
    let kind = Kind::of_status(res.status_code.unwrap_or(StatusCode::NOT_FOUND));
    let path = path::shown(req);
    let detail = match kind {
        Kind::NotFound => {
            format!("There is nothing at {path}. /openapi.json lists every path.")
        }
        Kind::MethodNotAllowed => {
            format!(
                "{path} does not answer to {}. Allow lists what it does.",
                req.method()
            )
        }
        Kind::Internal => INTERNAL_DETAIL.into(),
        other => format!("{}.", other.title()),
    };
    Problem::new(kind, detail).render(&path, &RequestId::of(depot), res);
}
