//! One attempt to deliver: a signed POST (Standard Webhooks) under the rules for every call to the
//! world.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use std::time::{Duration, Instant};
use stepwell_queue::clock;
use stepwell_queue::delivery::{ATTEMPT_MAX, Claimed, Verdict};
use stepwell_workflow::Failure;

use super::envelope::{MEDIA_TYPE, envelope};
use crate::worker::outbound::sockets::SHORTAGE;
use crate::worker::outbound::trace::Trace;
use crate::worker::outbound::{Answer, Outbound, Request, signature};
use crate::worker::steps::put;

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) verdict: Verdict,
    /// What the receiver answered, if it did.
    pub(super) status: Option<u16>,
    pub(super) took: Duration,
}

impl Ended {
    /// Whether the receiver is well enough to be sent more at once.
    pub(super) fn arrived(&self) -> bool {
        self.verdict == Verdict::Delivered
    }
}

/// Makes one attempt. It ends within [`ATTEMPT_MAX`]; `None`: this process had no socket for it.
pub(super) async fn attempt(outbound: &Outbound, delivery: &Claimed) -> Option<Ended> {
    let begun = Instant::now();
    let sent = async {
        let request = request(outbound, delivery)?;
        let socket = outbound.socket(&request.url).await?;
        outbound.send(socket, request).await
    };
    let (verdict, status) = match tokio::time::timeout(ATTEMPT_MAX, sent).await {
        Ok(Err(failure)) if failure.kind == SHORTAGE => return None,
        Ok(Ok(answer)) => (judge(&answer), Some(answer.status)),
        Ok(Err(failure)) => (failed(failure.message), None),
        Err(_) => {
            let seconds = ATTEMPT_MAX.as_secs();
            (failed(format!("no answer within {seconds} s")), None)
        }
    };
    Some(Ended {
        verdict,
        status,
        took: begun.elapsed(),
    })
}

fn failed(why: String) -> Verdict {
    Verdict::Failed { why, wait: None }
}

fn judge(answer: &Answer) -> Verdict {
    match answer.status {
        200..300 => Verdict::Delivered,
        410 => Verdict::Gone,
        status => Verdict::Failed {
            why: format!("the receiver answered {status}{}", answer.quote()),
            wait: answer.retry_after(),
        },
    }
}

fn request(outbound: &Outbound, delivery: &Claimed) -> Result<Request, Failure> {
    let unfit = |why: &str| Failure::fatal("invalid_request", why);
    let event = &delivery.event;
    let body = envelope(event).map_err(|error| unfit(&error.to_string()))?;
    let (id, timestamp) = (event.id.to_string(), clock::host().timestamp());
    // With each of the secrets that are valid: a receiver checks one.
    let signatures = delivery
        .secrets
        .iter()
        .map(|secret| signature::sign(secret.expose_secret(), &id, timestamp, &body))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unfit)?;
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    put(&mut headers, "webhook-id", &id)?;
    put(&mut headers, "webhook-timestamp", &timestamp.to_string())?;
    put(&mut headers, "webhook-signature", &signatures.join(" "))?;
    if let Some(trace) = event.traceparent.as_deref().and_then(Trace::read) {
        put(&mut headers, "traceparent", &trace.of_a_call())?;
    }
    Ok(Request {
        method: Method::POST,
        url: outbound.url(&delivery.url)?,
        headers,
        body,
    })
}
