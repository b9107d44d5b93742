//! Step type `agent`: POST to a registered agent; the JSON it answers is the step's output.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use stepwell_queue::Error;
use stepwell_queue::agent::{AgentTarget, Auth};
use stepwell_queue::clock;
use stepwell_workflow::payload::{self, Unreadable};
use stepwell_workflow::{Attempt, Failure, Outcome, Time};
use uuid::Uuid;

use super::{AgentPolicy, Origin, Steps, failed, reading};
use crate::worker::context;
use crate::worker::outbound::{Answer, Request};

/// How long an agent may take to hear that a run was aborted: nobody waits for it.
const TELL_TIMEOUT: Duration = Duration::from_secs(5);

/// What an agent is sent.
#[derive(Serialize)]
struct Envelope<'a> {
    run_id: Uuid,
    workflow: &'a str,
    step: &'a str,
    attempt: u32,
    input: &'a Value,
    /// Where an agent that answers 202 reports later.
    callback_url: String,
}

impl Steps {
    pub(super) async fn call_agent(
        &self,
        origin: &Origin,
        attempt: &Attempt,
        agent: &str,
        input: &Value,
        policy: &AgentPolicy,
    ) -> Outcome {
        // A database that is away is no failure of the agent, and costs no attempt.
        let found = context::read(|| self.store.agent_target(agent)).await;
        let target = match active(agent, found) {
            Ok(target) => target,
            Err(failure) => return failed(failure),
        };
        policy.is(&target.retry);
        let after = attempt.timeout.unwrap_or(target.timeout);
        let _seat = match target.max_concurrency {
            None => None,
            Some(most) => {
                policy.waits(true);
                let seat = self.seats.take(target.id, most).await;
                policy.waits(false);
                match seat {
                    Some(seat) => Some(seat),
                    None => return busy(&target.name, most),
                }
            }
        };
        policy.waits(true);
        let socket = match self.outbound.url(&target.url) {
            Ok(url) => self.outbound.socket(&url).await,
            Err(failure) => Err(failure),
        };
        policy.waits(false);
        let socket = match socket {
            Ok(socket) => socket,
            Err(failure) => return failed(failure),
        };
        // The time of whoever finishes later counts from the call.
        let until = later(clock::now(), after);
        let signer = match context::read(|| self.store.signer()).await {
            Ok(signer) => signer,
            Err(error) => return failed(Failure::retryable("token", error.to_string())),
        };
        let token = signer.callback(origin.place(attempt), until);
        let callback_url = format!("{}/api/v1/callbacks/{token}", self.public_url);
        let request = match self.request(origin, attempt, &target, (input, callback_url)) {
            Ok(request) => request,
            Err(failure) => return failed(failure),
        };
        match tokio::time::timeout(after, self.outbound.send(socket, request)).await {
            Err(_) => Outcome::TimedOut { after },
            Ok(Err(failure)) => failed(failure),
            Ok(Ok(answer)) => match read_in_turn(&target.name, &answer).await {
                Ok(Read::Output(output)) => Outcome::Completed(output),
                Ok(Read::Later) => Outcome::Detached { until },
                Err(failure) => Outcome::Failed {
                    failure,
                    status: Some(answer.status),
                    retry_after: answer.retry_after(),
                },
            },
        }
    }

    fn request(
        &self,
        origin: &Origin,
        attempt: &Attempt,
        target: &AgentTarget,
        (input, callback_url): (&Value, String),
    ) -> Result<Request, Failure> {
        let mut headers = origin.headers(&origin.idempotency_key(attempt))?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        authenticate(&mut headers, target)?;
        let body = serde_json::to_vec(&Envelope {
            run_id: origin.run_id,
            workflow: &origin.workflow,
            step: &attempt.name,
            attempt: attempt.attempt,
            input,
            callback_url,
        })
        .map_err(|e| Failure::fatal("invalid_request", e.to_string()))?;
        Ok(Request {
            method: Method::POST,
            url: self.outbound.url(&target.url)?,
            headers,
            body: Bytes::from(body),
        })
    }
}

/// The attempt is not made: the agent has as many calls as it takes.
fn busy(agent: &str, most: u32) -> Outcome {
    let message =
        format!("agent `{agent}` has as many calls in flight as it takes at once: {most}");
    Outcome::Busy {
        failure: Failure::retryable("agent_busy", message),
    }
}

/// Checks that an agent may be called.
fn active(
    agent: &str,
    found: Result<Option<Arc<AgentTarget>>, Error>,
) -> Result<Arc<AgentTarget>, Failure> {
    match found {
        Ok(Some(target)) if target.active => Ok(target),
        Ok(Some(_)) => Err(Failure::fatal(
            "unknown_agent",
            format!("the agent `{agent}` is inactive; activate it and retry the run"),
        )),
        Ok(None) => Err(Failure::fatal(
            "unknown_agent",
            format!("there is no agent `{agent}`; register it and retry the run"),
        )),
        Err(error) => Err(Failure::retryable(
            "agent_lookup",
            format!("the agent `{agent}` could not be looked up: {error}"),
        )),
    }
}

/// Sends `DELETE {url}/runs/{run_id}` to an agent that wants it.
pub(super) async fn tell_aborted(steps: &Steps, origin: &Origin, agent: &str) {
    let Ok(target) = active(agent, steps.store.agent_target(agent).await) else {
        return;
    };
    if !target.cancel {
        return;
    }
    let told = tokio::time::timeout(TELL_TIMEOUT, async {
        let mut url = steps.outbound.url(&target.url)?;
        let path = format!(
            "{}/runs/{}",
            url.path().trim_end_matches('/'),
            origin.run_id
        );
        url.set_path(&path);
        let mut headers = origin.headers(&format!("{}/abort", origin.run_id))?;
        authenticate(&mut headers, &target)?;
        let request = Request {
            method: Method::DELETE,
            url,
            headers,
            body: Bytes::new(),
        };
        let socket = steps.outbound.socket(&request.url).await?;
        steps.outbound.send(socket, request).await
    });
    match told.await {
        Ok(Ok(answer)) => {
            tracing::debug!(run_id = %origin.run_id, agent, status = answer.status, "told the agent of the abort");
        }
        Ok(Err(failure)) => {
            tracing::info!(run_id = %origin.run_id, agent, error = failure.message, "could not tell the agent of the abort");
        }
        Err(_) => {
            tracing::info!(run_id = %origin.run_id, agent, "the agent did not take the abort in time");
        }
    }
}

/// Adds the agent's credentials.
pub(in crate::worker) fn authenticate(
    headers: &mut HeaderMap,
    target: &AgentTarget,
) -> Result<(), Failure> {
    let (name, secret) = match &target.auth {
        Auth::None => return Ok(()),
        Auth::Bearer(token) => (AUTHORIZATION, format!("Bearer {}", token.expose_secret())),
        Auth::ApiKey { header, key } => {
            let name = HeaderName::from_bytes(header.as_bytes())
                .map_err(|_| unusable(&target.name, "header name"))?;
            (name, key.expose_secret().to_owned())
        }
        Auth::Basic { username, password } => {
            let pair = format!("{username}:{}", password.expose_secret());
            (AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
        }
    };
    let mut value =
        HeaderValue::from_str(&secret).map_err(|_| unusable(&target.name, "credential"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn unusable(agent: &str, what: &str) -> Failure {
    Failure::fatal(
        "invalid_request",
        format!(
            "the {what} of agent `{agent}` has characters that HTTP does not allow; update its auth_config"
        ),
    )
}

/// What an agent answered.
#[derive(Debug, PartialEq)]
enum Read {
    Output(Value),
    /// It finishes later, and calls back.
    Later,
}

/// Returns `at` and `by`, or the end of time.
fn later(at: Time, by: Duration) -> Time {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| at.checked_add_signed(by))
        .unwrap_or(Time::MAX_UTC)
}

async fn read_in_turn(agent: &str, answer: &Answer) -> Result<Read, Failure> {
    reading::by_size(answer.body.len(), || read(agent, answer)).await
}

/// Reads an agent's answer.
fn read(agent: &str, answer: &Answer) -> Result<Read, Failure> {
    let status = answer.status;
    if !(200..300).contains(&status) {
        let message = format!("agent `{agent}` answered {status}{}", answer.quote());
        return Err(if answer.may_be_retried() {
            Failure::retryable("agent_error", message)
        } else {
            Failure::fatal("agent_error", message)
        });
    }
    // Where it says so in a header, its body is its own affair.
    if status == 202 && answer.headers.contains_key(LOCATION) {
        return Ok(Read::Later);
    }
    let output: Value = match answer.body.is_empty() {
        true => Value::Null,
        false => payload::read(&answer.body).map_err(|problem| {
            let what = match problem {
                Unreadable::TooMany => format!("too large a body: {problem}"),
                Unreadable::NotJson(e) => {
                    format!("a body that is not JSON ({e}){}", answer.quote())
                }
            };
            let message = format!("agent `{agent}` answered {status} with {what}");
            Failure::fatal("agent_response", message)
        })?,
    };
    if status == 202 && output.get("callback") == Some(&Value::Bool(true)) {
        return Ok(Read::Later);
    }
    Ok(Read::Output(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn failure(status: u16, body: &'static str) -> Failure {
        read("scorer", &answer(status, body)).expect_err("a failure")
    }

    #[test]
    fn json_completes_and_nothing_is_null() {
        let output = |value| Ok(Read::Output(value));
        assert_eq!(
            read("a", &answer(200, "[1]")),
            output(serde_json::json!([1]))
        );
        assert_eq!(read("a", &answer(204, "")), output(Value::Null));
        assert_eq!(
            read("a", &answer(202, r#"{"n":1}"#)),
            output(serde_json::json!({"n": 1}))
        );
    }

    #[test]
    fn what_is_not_json_fails_for_good() {
        let failure = failure(200, "<html>");
        assert_eq!(failure.kind, "agent_response");
        assert!(!failure.retryable);
        assert!(failure.message.contains("<html>"));
    }

    #[test]
    fn statuses_decide_about_another_attempt() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(failure(status, "").retryable, "{status}");
        }
        for status in [301, 400, 401, 404, 409, 422] {
            assert!(!failure(status, "").retryable, "{status}");
        }
    }

    #[test]
    fn an_agent_may_finish_later() {
        assert_eq!(
            read("a", &answer(202, r#"{"callback": true}"#)),
            Ok(Read::Later)
        );
        assert_ne!(
            read("a", &answer(200, r#"{"callback": true}"#)),
            Ok(Read::Later)
        );
        let mut located = answer(202, "");
        located
            .headers
            .insert(LOCATION, HeaderValue::from_static("/jobs/7"));
        assert_eq!(read("a", &located), Ok(Read::Later));
    }
}
