//! Step types `http` and `webhook`: a request as the definition says; the output is
//! `{status, headers, body}`.

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use serde_json::{Map, Value};
use stepwell_queue::clock;
use stepwell_workflow::payload::Unreadable;
use stepwell_workflow::{Attempt, Call, Failure, Outcome};

use super::{Origin, Steps, failed, put, reading};
use crate::worker::outbound::{Answer, Request, signature};

impl Steps {
    pub(super) async fn call_http(&self, origin: &Origin, attempt: &Attempt) -> Outcome {
        let request = match self.http_request(origin, attempt) {
            Ok(request) => request,
            Err(failure) => return failed(failure),
        };
        let socket = match self.outbound.socket(&request.url).await {
            Ok(socket) => socket,
            Err(failure) => return failed(failure),
        };
        let expected: &[u16] = match &attempt.call {
            Call::Http { expect_status, .. } => expect_status,
            _ => &[],
        };
        let after = attempt.timeout.unwrap_or(self.timeout);
        match tokio::time::timeout(after, self.outbound.send(socket, request)).await {
            Err(_) => Outcome::TimedOut { after },
            Ok(Err(failure)) => failed(failure),
            Ok(Ok(answer)) => match read_in_turn(expected, &answer).await {
                Ok(output) => Outcome::Completed(output),
                Err(failure) => Outcome::Failed {
                    failure,
                    status: Some(answer.status),
                    retry_after: answer.retry_after(),
                },
            },
        }
    }

    fn http_request(&self, origin: &Origin, attempt: &Attempt) -> Result<Request, Failure> {
        let Call::Http {
            method,
            url,
            headers: own,
            body,
            sign,
            ..
        } = &attempt.call
        else {
            return Err(Failure::fatal(
                "invalid_request",
                "this is not an HTTP call",
            ));
        };
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
            Failure::fatal(
                "invalid_request",
                format!("`{method}` is not an HTTP method"),
            )
        })?;
        let key = origin.idempotency_key(attempt);
        let mut headers = origin.headers(&key)?;
        for (name, value) in own {
            put(&mut headers, name, value)?;
        }
        let body = encode(body.as_ref(), &mut headers)?;
        if let Some(secret) = sign {
            let timestamp = clock::host().timestamp();
            let signature = signature::sign(secret, &key, timestamp, &body)
                .map_err(|message| Failure::fatal("invalid_request", message))?;
            put(&mut headers, "webhook-id", &key)?;
            put(&mut headers, "webhook-timestamp", &timestamp.to_string())?;
            put(&mut headers, "webhook-signature", &signature)?;
        }
        Ok(Request {
            method,
            url: self.outbound.url(url)?,
            headers,
            body,
        })
    }
}

/// Returns the bytes of a body, and sets the content type where the definition does not. A string
/// under a content type that is not JSON goes out as it is.
fn encode(body: Option<&Value>, headers: &mut HeaderMap) -> Result<Bytes, Failure> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    let kind = headers.get(CONTENT_TYPE).map(|k| k.to_str().unwrap_or(""));
    if let (Value::String(text), Some(kind)) = (body, kind)
        && !kind.contains("json")
    {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    if kind.is_none() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|e| Failure::fatal("invalid_request", e.to_string()))
}

async fn read_in_turn(expected: &[u16], answer: &Answer) -> Result<Value, Failure> {
    reading::by_size(answer.body.len(), || read(expected, answer)).await
}

/// Reads an answer; without `expect_status`, every 2xx is well.
fn read(expected: &[u16], answer: &Answer) -> Result<Value, Failure> {
    let status = answer.status;
    let well = match expected {
        [] => (200..300).contains(&status),
        some => some.contains(&status),
    };
    if well {
        return output(answer).map_err(|problem| {
            let message = format!("the service answered {status} with too large a body: {problem}");
            Failure::fatal("response_too_large", message)
        });
    }
    let hint = match status {
        300..400 => " (redirects are not followed)",
        _ => "",
    };
    let message = format!("the service answered {status}{hint}{}", answer.quote());
    Err(if answer.may_be_retried() {
        Failure::retryable("http_status", message)
    } else {
        Failure::fatal("http_status", message)
    })
}

fn output(answer: &Answer) -> Result<Value, Unreadable> {
    let mut headers = Map::new();
    for name in answer.headers.keys() {
        let values: Vec<String> = answer
            .headers
            .get_all(name)
            .iter()
            .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
            .collect();
        headers.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    let mut output = Map::new();
    output.insert("status".to_owned(), Value::from(answer.status));
    output.insert("headers".to_owned(), Value::Object(headers));
    output.insert("body".to_owned(), answer.value()?);
    Ok(Value::Object(output))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16) -> Answer {
        let mut headers = HeaderMap::new();
        headers.append("x-tag", HeaderValue::from_static("a"));
        headers.append("x-tag", HeaderValue::from_static("b"));
        Answer {
            status,
            headers,
            body: Bytes::from_static(b"{\"ok\":true}"),
        }
    }

    #[test]
    fn the_output_shows_status_headers_and_body() {
        assert_eq!(
            read(&[], &answer(201)),
            Ok(json!({"status": 201, "headers": {"x-tag": "a, b"}, "body": {"ok": true}}))
        );
    }

    #[test]
    fn expected_statuses_replace_the_rule() {
        assert!(read(&[404], &answer(404)).is_ok());
        assert!(!read(&[404], &answer(200)).unwrap_err().retryable);
        assert!(read(&[], &answer(503)).unwrap_err().retryable);
        let redirect = read(&[], &answer(302)).unwrap_err();
        assert!(redirect.message.contains("redirects"));
    }

    #[test]
    fn bodies_are_json_unless_they_are_text_of_another_type() {
        let mut headers = HeaderMap::new();
        let body = encode(Some(&json!("hi")), &mut headers).unwrap();
        assert_eq!(&body[..], b"\"hi\"");
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let body = encode(Some(&json!("hi")), &mut headers).unwrap();
        assert_eq!(&body[..], b"hi");
        assert!(encode(None, &mut headers).unwrap().is_empty());
    }
}
