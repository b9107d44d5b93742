//! The server in front of the agents. Besides them: `GET /calls`, `GET /health`, `POST /repair`,
//! and `DELETE /<agent>/runs/<run>`, by which an agent hears that a run was cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use salvo::http::{Method, StatusCode};
use salvo::writing::Json;
use salvo::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use serde_json::{Value, json};

use crate::answer;
use crate::call::{Call, Calls, now};

/// Bytes of one call: what a step may send at most.
const BODY_BYTES_MAX: usize = 4 << 20;

/// All agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agents {
    calls: Calls,
    repaired: Arc<AtomicBool>,
}

#[async_trait]
impl Handler for Agents {
    async fn handle(
        &self,
        req: &mut Request,
        _depot: &mut Depot,
        res: &mut Response,
        _ctrl: &mut FlowCtrl,
    ) {
        let (status, body) = self.answer(req).await;
        res.status_code(status);
        res.render(Json(body));
    }
}

impl Agents {
    async fn answer(&self, req: &mut Request) -> (StatusCode, Value) {
        let path = req.uri().path().to_owned();
        match (req.method().clone(), path.as_str()) {
            (Method::GET, "/health" | "/") => (StatusCode::OK, json!({"status": "healthy"})),
            (Method::GET, "/calls") => (StatusCode::OK, json!(self.calls.all())),
            (Method::POST, "/repair") => {
                self.repaired.store(true, Ordering::Relaxed);
                (StatusCode::OK, json!({"repaired": true}))
            }
            (Method::POST, _) => self.call(req, path).await,
            (Method::DELETE, _) => {
                self.calls.arrived(call(req, path, Value::Null)).answered();
                (StatusCode::OK, json!({"aborted": true}))
            }
            _ => (
                StatusCode::METHOD_NOT_ALLOWED,
                json!({"error": "agents take POST"}),
            ),
        }
    }

    async fn call(&self, req: &mut Request, path: String) -> (StatusCode, Value) {
        let payload = match req.payload_with_max_size(BODY_BYTES_MAX).await {
            Ok(payload) => payload,
            Err(error) => {
                return (StatusCode::BAD_REQUEST, json!({"error": error.to_string()}));
            }
        };
        let body: Value = match serde_json::from_slice(payload) {
            Ok(body) => body,
            Err(error) => {
                return (
                    StatusCode::BAD_REQUEST,
                    json!({"error": format!("the body is no JSON: {error}")}),
                );
            }
        };
        let call = call(req, path.clone(), body);
        let (run, step) = (call.run_id.clone(), call.step.clone().unwrap_or_default());
        let in_flight = self.calls.arrived(call);
        let number = self.calls.of_run(&path, run.as_deref());
        let repaired = self.repaired.load(Ordering::Relaxed);
        let run = run.unwrap_or_default();
        let answer = answer::to(&path, number, repaired, &run, &step).await;
        in_flight.answered();
        answer
    }
}

fn call(req: &Request, path: String, body: Value) -> Call {
    let text = |field: &str| body.get(field).and_then(Value::as_str).map(str::to_owned);
    Call {
        method: req.method().to_string(),
        path,
        run_id: text("run_id"),
        step: text("step"),
        attempt: body.get("attempt").and_then(Value::as_u64),
        idempotency_key: req.header("idempotency-key"),
        at: now(),
        body,
        finished: false,
        aborted: false,
        ended_at: None,
    }
}
