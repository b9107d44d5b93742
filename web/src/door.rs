//! What every request passes first and every answer last: its id, who sent it and whether they may,
//! its log line, its measurement, the limits on time and number, and the net under panics.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use http::{HeaderValue, Method, StatusCode};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::App;
use crate::auth::Principal;
use crate::auth::policy::{self, Need};
use crate::limits::{REQUEST_TIMEOUT, REQUESTS_MAX};
use crate::problem::{self, Fault, Kind, Problem};
use crate::request_id::{self, RequestId};
use crate::site::Site;
use crate::{head, leftover, path};

/// Health and measurements answer also when the server is full: that is when they are needed.
const ALWAYS_OPEN: &[&str] = &["/health", "/health/live", "/health/ready", "/metrics"];

/// The outermost handler of the service.
#[derive(Debug)]
pub struct Door {
    app: App,
    site: Site,
    slots: Arc<Semaphore>,
}

impl Door {
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            site: Site::of(&app.options, app.agents.is_some()),
            app,
            slots: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }

    async fn pass(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) -> Result<(), Problem> {
        self.site.check(req)?;
        let always_open = ALWAYS_OPEN.contains(&req.uri().path());
        let _slot = match self.slots.try_acquire() {
            Ok(slot) => Some(slot),
            Err(_) if always_open => None,
            Err(_) => {
                return Err(Problem::new(
                    Kind::Overloaded,
                    format!("{REQUESTS_MAX} requests are in work. Try again shortly."),
                ));
            }
        };
        let needed = self.admit(req, depot).await?;
        let work = AssertUnwindSafe(ctrl.call_next(req, depot, res)).catch_unwind();
        match tokio::time::timeout(REQUEST_TIMEOUT, work).await {
            Ok(Ok(_)) => {
                // A token that was never given out is a failed attempt like any other.
                if needed == Need::OwnToken && res.status_code == Some(StatusCode::NOT_FOUND) {
                    self.app.gate.failed(address(req)).await?;
                }
                Ok(())
            }
            Ok(Err(panic)) => Err(Problem::internal(format!("panic: {}", words(&*panic)))),
            Err(_) => Err(Problem::new(
                Kind::TimedOut,
                format!("No answer within {} s.", REQUEST_TIMEOUT.as_secs()),
            )),
        }
    }
}

impl Door {
    /// Finds out who asks, and whether they may. The route decides and not the path: a path can be
    /// written in many ways.
    async fn admit(&self, req: &Request, depot: &mut Depot) -> Result<Need, Problem> {
        let needed = match req.matched_path() {
            "" => policy::needed_by_stranger(req.uri().path()),
            route => policy::needed(req.method(), route),
        };
        let Need::Role(role) = needed else {
            depot.insert_typed(Principal::anonymous());
            return Ok(needed);
        };
        let from = address(req);
        let gate = &self.app.gate;
        let principal = gate.authenticate(req.headers(), from).await?;
        depot.insert_typed(principal.clone());
        tracing::Span::current().record("actor", &*principal.name);
        principal.allow(role)?;
        Ok(needed)
    }
}

/// Returns where a request came from.
fn address(req: &Request) -> Option<IpAddr> {
    req.remote_addr().clone().into_std().map(|from| from.ip())
}

#[async_trait]
impl Handler for Door {
    async fn handle(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let begun = Instant::now();
        let (id, refused) = match RequestId::choose(req) {
            Ok(id) => (id, None),
            Err(detail) => (RequestId::fresh(), Some(detail)),
        };
        depot
            .insert_typed(id.clone())
            .insert_typed(self.app.clone());
        let span = tracing::info_span!(
            "request", request_id = id.0, method = %req.method(), path = &*path::shown(req),
            actor = tracing::field::Empty
        );
        async {
            let passed = match refused {
                Some(detail) => Err(Problem::parameters(vec![Fault::parameter(
                    "X-Request-ID",
                    detail,
                )])),
                None => self.pass(req, depot, res, ctrl).await,
            };
            if let Err(problem) = passed {
                ctrl.skip_rest();
                problem.render(&path::shown(req), &id.0, res);
            }
            if req.method() == Method::HEAD {
                problem::unanswered(req, depot, res);
                head::measure(res);
            }
            leftover::discard(req);
            self.note(req, res, begun);
        }
        .instrument(span)
        .await;
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            res.headers_mut().insert(request_id::HEADER, value);
        }
        if let Ok(principal) = depot.get_typed::<Principal>()
            && let Some(budget) = principal.budget
        {
            for (name, value) in budget.headers() {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    res.headers_mut().insert(name, value);
                }
            }
        }
        res.headers_mut().insert(
            http::header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
    }
}

impl Door {
    fn note(&self, req: &Request, res: &Response, begun: Instant) {
        let status = res.status_code.unwrap_or(StatusCode::NOT_FOUND).as_u16();
        let latency = begun.elapsed();
        self.app
            .metrics
            .request(req.matched_path(), req.method(), status, latency);
        let latency_ms = latency.as_secs_f64() * 1_000.0;
        // Probes come every few seconds and say nothing as long as they succeed.
        if status < 400 && ALWAYS_OPEN.contains(&req.uri().path()) {
            tracing::debug!(status, latency_ms, "answered");
        } else {
            tracing::info!(status, latency_ms, "answered");
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of an unknown kind")
}
