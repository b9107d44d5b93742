//! What every request passes first and every answer last: its id, who sent it and whether they may,
//! its log line, its measurement, the limits on time and number, and the net under panics.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use http::{HeaderValue, Method, StatusCode};
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use stepwell_queue::deliver;
use tracing::Instrument;

use crate::App;
use crate::admission::{self, Party, Share};
use crate::auth::Principal;
use crate::auth::policy::{self, Need};
use crate::body::work::{WORK, Work};
use crate::callbacks;
use crate::limits::REQUEST_TIMEOUT;
use crate::problem::{self, Fault, Kind, Problem};
use crate::request_id::{self, RequestId};
use crate::site::Site;
use crate::{head, leftover, path};

/// Says that the process is there.
const LIVE: &str = "/health/live";
/// Health and measurements answer also when the server is full: that is when they are needed.
const ALWAYS_OPEN: &[&str] = &["/health", LIVE, "/health/ready", "/metrics"];

/// The outermost handler of the service.
#[derive(Debug)]
pub struct Door {
    app: App,
    site: Site,
}

impl Door {
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            site: Site::of(&app.options, app.agents.is_some()),
            app,
        }
    }

    async fn pass(
        &self,
        req: &mut Request,
        depot: &mut Depot,
        res: &mut Response,
        ctrl: &mut FlowCtrl,
    ) -> Result<(), Problem> {
        if let Err(problem) = self.site.check(req) {
            depot.insert_typed(Stranger);
            return Err(problem);
        }
        // Nothing is held, and nothing of the body read, before it is known who asks.
        let (needed, party) = match self.admit(req, depot).await {
            Ok(admitted) => admitted,
            Err(problem) => {
                if is_strangers(&problem) {
                    depot.insert_typed(Stranger);
                }
                return Err(problem);
            }
        };
        let _slot = self.slot(needed, req, &party)?;
        let pools = &self.app.admission;
        let bodies = match needed {
            Need::OwnToken => &pools.token_bodies,
            _ => &pools.bodies,
        };
        let work = Work::new(party.clone(), Arc::clone(bodies));
        let work = WORK.scope(work, ctrl.call_next(req, depot, res));
        let work = AssertUnwindSafe(work).catch_unwind();
        match tokio::time::timeout(REQUEST_TIMEOUT, work).await {
            // Whoever asks for the head alone gets nothing else.
            Ok(Ok(_)) if req.method() == Method::HEAD => Ok(()),
            Ok(Ok(_)) => admission::answer::hold(res, &pools.answers, &party).await,
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
    async fn admit(&self, req: &Request, depot: &mut Depot) -> Result<(Need, Party), Problem> {
        let needed = match req.matched_path() {
            "" => policy::needed_by_stranger(req.uri().path()),
            route => policy::needed(req.method(), route),
        };
        let from = address(req);
        let Need::Role(role) = needed else {
            if needed == Need::OwnToken {
                self.check_token(req, from).await?;
                self.known(req);
            }
            depot.insert_typed(Principal::anonymous());
            return Ok((needed, Party::at(from)));
        };
        let gate = &self.app.gate;
        let principal = gate.authenticate(req.headers(), from).await?;
        depot.insert_typed(principal.clone());
        tracing::Span::current().record("actor", &*principal.name);
        principal.allow(role)?;
        self.known(req);
        // Where nobody is asked, everybody has the same name.
        let party = if gate.is_open() {
            Party::at(from)
        } else {
            Party::Principal(principal.name)
        };
        Ok((needed, party))
    }

    /// Refuses a token that was never given out. It takes its signature alone, no database and nothing
    /// of the body, which may be anything.
    async fn check_token(&self, req: &Request, from: Option<IpAddr>) -> Result<(), Problem> {
        let token = req.param::<String>("token").unwrap_or_default();
        let doors: &[deliver::Door] = match req.matched_path().trim_matches('/') {
            route if route.ends_with("/logs") => {
                &[deliver::Door::Callback, deliver::Door::External]
            }
            route if route.starts_with("api/v1/callbacks/") => &[deliver::Door::Callback],
            _ => &[deliver::Door::External],
        };
        let known = self.app.store.knows_token(&token, doors).await?;
        let Some(problem) = callbacks::refused(known) else {
            return Ok(());
        };
        // A token that was never given out is a failed attempt like any other.
        if known == deliver::Delivered::Unknown {
            self.app.gate.failed(from).await?;
        }
        Err(problem)
    }

    /// The connection is no stranger's.
    fn known(&self, req: &Request) {
        if let Some(peer) = req.remote_addr().clone().into_std() {
            self.app.connections.known(peer);
        }
    }

    /// Takes the slot of a request.
    fn slot(&self, needed: Need, req: &Request, party: &Party) -> Result<Option<Share>, Problem> {
        let pools = &self.app.admission;
        let path = req.uri().path();
        let pool = match needed {
            // It asks nobody anything.
            Need::Nothing if path == LIVE => return Ok(None),
            Need::Nothing if ALWAYS_OPEN.contains(&path) => &pools.probes,
            Need::OwnToken => &pools.tokens,
            _ if waits(req) => &pools.waits,
            _ => &pools.requests,
        };
        admission::enter(pool, party).map(Some)
    }
}

/// Says whether a request may take as long as something takes to happen.
fn waits(req: &Request) -> bool {
    let query = req.uri().query().unwrap_or_default();
    query.contains("wait_ms") || req.matched_path().ends_with("/poll")
}

/// Says whether a problem is that nobody knows who asks.
fn is_strangers(problem: &Problem) -> bool {
    matches!(
        problem.kind(),
        Kind::Unauthorized | Kind::NotFound | Kind::RateLimited
    )
}

/// Says that a request was not let in. Its body is left where it is.
#[derive(Clone, Copy, Debug)]
struct Stranger;

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
            if depot.get_typed::<Stranger>().is_err() {
                leftover::discard(req);
            }
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
