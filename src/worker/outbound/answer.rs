//! An answer of a service: whether to ask again, and what is kept of it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use stepwell_queue::clock;
use stepwell_workflow::payload::{self, Unreadable};

use super::retry_after;

/// Characters of an answer that are quoted in a failure.
pub(super) const QUOTE_CHARS_MAX: usize = 200;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Says whether the called service may answer otherwise to the same request.
    pub(crate) fn may_be_retried(&self) -> bool {
        matches!(self.status, 408 | 425 | 429) || self.status >= 500
    }

    /// Returns how long the service asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry_after::parse(value, clock::now())
    }

    /// Returns the beginning of the body, for a failure's message: `: <text>`, or nothing.
    pub(crate) fn quote(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        if text.is_empty() {
            return String::new();
        }
        let mut quote: String = text.chars().take(QUOTE_CHARS_MAX).collect();
        if quote.len() < text.len() {
            quote.push('…');
        }
        format!(": {}", quote.replace(char::is_control, " "))
    }

    /// Returns the body as JSON where it is JSON, else as text; nothing is null.
    ///
    /// # Errors
    /// When it holds more values than a payload may.
    pub(crate) fn value(&self) -> Result<Value, Unreadable> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        if self.says_json() {
            match payload::read(&self.body) {
                Err(Unreadable::NotJson(_)) => {}
                read => return read,
            }
        }
        let text = String::from_utf8_lossy(&self.body).into_owned();
        Ok(Value::String(text))
    }

    /// Says whether the content type is JSON; one that is missing is given the benefit of the doubt.
    fn says_json(&self) -> bool {
        let Some(kind) = self.headers.get(reqwest::header::CONTENT_TYPE) else {
            return true;
        };
        let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind == "application/json" || kind.ends_with("+json")
    }
}
