//! What every call passes: its id, who calls, its log line.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use stepwell_queue::Actor;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::transport::server::TcpConnectInfo;
use tower::Layer;
use tracing::Instrument as _;

use super::limits::QUESTION_TIMEOUT;
use super::metered::{Holding, Metered};
use super::status::refuse;
use super::unread;
use crate::App;
use crate::actor::traceparent;
use crate::admission::{self, Party, Share};
use crate::auth::{Budget, Role};
use crate::problem::{Fault, Kind, Problem};
use crate::request_id::{self, RequestId};

/// Health and reflection say nothing of anybody's runs.
const CONTRACT: &str = "/stepwell.";

/// Who sent the call in work.
#[derive(Clone, Debug)]
pub(super) struct Caller(pub(super) Actor);

/// Who calls, as whom they are counted, and the slot of the call.
type Admitted = (Actor, Party, Share);

/// Says who calls, whether they may, and what is left of their requests. The one place where a call is
/// let in.
async fn admit(
    app: &App,
    headers: &HeaderMap,
    from: Option<IpAddr>,
    method: &str,
) -> (Result<Admitted, Problem>, Option<Budget>) {
    let principal = match app.gate.authenticate(headers, from).await {
        Ok(principal) => principal,
        Err(refusal) => return (Err(refusal.into()), None),
    };
    let party = if app.gate.is_open() {
        Party::at(from)
    } else {
        Party::Principal(Arc::clone(&principal.name))
    };
    let admitted = principal.allow(role(method)).map_err(Problem::from);
    let admitted = admitted.and_then(|()| {
        let slot = admission::enter(&app.admission.requests, &party)?;
        let actor = Actor {
            name: principal.name.to_string(),
            request_id: None,
            traceparent: traceparent(headers),
        };
        Ok((actor, party, slot))
    });
    (admitted, principal.budget)
}

/// The role that a call needs: what only looks on is for everybody.
fn role(method: &str) -> Role {
    match method.rsplit('/').next() {
        Some("GetWorkflowStatus" | "WatchExecution") => Role::Viewer,
        _ => Role::Operator,
    }
}

/// Puts the door before a service.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) app: App,
}

impl<S> Layer<S> for Door {
    type Service = Behind<S>;

    fn layer(&self, inner: S) -> Behind<S> {
        Behind {
            app: self.app.clone(),
            inner,
        }
    }
}

/// A service behind the door.
#[derive(Clone, Debug)]
pub(super) struct Behind<S> {
    app: App,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Behind<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // The one that is ready goes; its clone stays.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        pass(self.app.clone(), inner, request).boxed()
    }
}

async fn pass<S>(
    app: App,
    mut inner: S,
    mut request: http::Request<Body>,
) -> Result<http::Response<Body>, S::Error>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Send,
    S::Future: Send,
{
    let begun = Instant::now();
    let method = request.uri().path().to_owned();
    let ours = method.starts_with(CONTRACT);
    let connection = request.extensions().get::<TcpConnectInfo>();
    let from = connection.and_then(TcpConnectInfo::remote_addr);
    let peer = from;
    let from = from.map(|address| address.ip());
    // The request itself cannot be shared while somebody asks who sent it.
    let headers = request.headers().clone();
    let (id, refused) = match RequestId::choose_from(request.headers()) {
        Ok(id) => (id, None),
        Err(detail) => {
            let fault = Fault::parameter(request_id::HEADER, detail);
            (RequestId::fresh(), Some(Problem::parameters(vec![fault])))
        }
    };
    let span = tracing::info_span!("call", request_id = id.0, method);
    async {
        let (admitted, budget) = match refused {
            Some(problem) => (Err(problem), None),
            None if ours => admit(&app, &headers, from, &method).await,
            None => (question(&app, from), None),
        };
        let nobody = Actor {
            request_id: Some(id.0.clone()),
            ..Actor::default()
        };
        let mut response = match admitted {
            Ok((mut actor, party, slot)) => {
                if let Some(peer) = peer.filter(|_| ours) {
                    app.connections.known(peer);
                }
                actor.request_id = Some(id.0.clone());
                request.extensions_mut().insert(Caller(actor));
                let packed = request.headers().contains_key("grpc-encoding");
                let (head, body) = request.into_parts();
                // Of the message, until the answer begins.
                let (body, _work) = Metered::new(body, packed, party, &app.admission.bodies);
                let request = http::Request::from_parts(head, Body::new(body));
                let response = if ours {
                    let response = inner.call(request).await?;
                    drop(slot);
                    response
                } else {
                    match tokio::time::timeout(QUESTION_TIMEOUT, inner.call(request)).await {
                        // Whoever follows the health of the server goes on holding it.
                        Ok(response) => response?.map(|body| Body::new(Holding(body, slot))),
                        Err(_) => refuse(&late(), &nobody).into_http(),
                    }
                };
                match unread::problem(response.headers()).filter(|_| ours) {
                    Some(problem) => refuse(&problem, &nobody).into_http(),
                    None => response,
                }
            }
            Err(problem) => {
                let mut response = refuse(&problem, &nobody).into_http();
                let figures = problem.headers().filter(|(name, _)| is_figure(name));
                tell(figures, response.headers_mut());
                response
            }
        };
        let figures = budget.iter().flat_map(Budget::headers).collect::<Vec<_>>();
        let figures = figures.iter().map(|(name, value)| (*name, value.as_str()));
        tell(figures, response.headers_mut());
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(request_id::HEADER, value);
        }
        note(&method, &response, begun);
        Ok(response)
    }
    .instrument(span)
    .await
}

/// Takes the slot of a call that anybody may make, for as long as its answer goes on.
fn question(app: &App, from: Option<IpAddr>) -> Result<Admitted, Problem> {
    let party = Party::at(from);
    let slot = admission::enter(&app.admission.contract, &party)?;
    Ok((Actor::default(), party, slot))
}

fn late() -> Problem {
    let words = format!(
        "The question did not come within {} s.",
        QUESTION_TIMEOUT.as_secs()
    );
    Problem::new(Kind::TimedOut, words)
}

/// Whether a header of REST tells how many requests are left: those are metadata as well.
fn is_figure(name: &str) -> bool {
    name.starts_with("ratelimit-")
}

fn tell<'a>(figures: impl Iterator<Item = (&'static str, &'a str)>, headers: &mut HeaderMap) {
    for (name, value) in figures {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

/// A stream is noted when it begins; how it ends shows in the run's trail.
fn note(method: &str, response: &http::Response<Body>, begun: Instant) {
    let status = response.headers().get("grpc-status");
    let status = status
        .and_then(|status| status.to_str().ok())
        .unwrap_or("0");
    let latency_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    if method.starts_with(CONTRACT) {
        tracing::info!(grpc_status = status, latency_ms, "answered");
    } else {
        tracing::debug!(grpc_status = status, latency_ms, "answered");
    }
}
