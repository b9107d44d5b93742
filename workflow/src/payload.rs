//! How large a payload is: the bytes of its JSON, as it is stored and sent, and the values in it, which
//! decide how much memory it takes. Whatever a run makes itself, out of expressions or of many small
//! answers, is measured before it is kept; what others send, before it is read.

use std::io::{self, Write};

use serde_json::Value;

use crate::Failure;
use crate::limits::{OBJECT_VALUES, PAYLOAD_BYTES_MAX, PAYLOAD_VALUES_MAX};

/// Why JSON cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It holds too much.
    #[error("it holds more than {PAYLOAD_VALUES_MAX} values (an object counts as {OBJECT_VALUES})")]
    TooMany,
    /// It is no JSON.
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
}

/// Reads JSON that holds no more values than a payload may. They are counted in the text, before
/// anything is made of it.
///
/// # Errors
/// When it holds more, or is no JSON.
pub fn read(text: &[u8]) -> Result<Value, Unreadable> {
    if !holds_few(text) {
        return Err(Unreadable::TooMany);
    }
    Ok(serde_json::from_slice(text)?)
}

/// Says whether a text holds no more values than a payload may, if it is JSON.
fn holds_few(text: &[u8]) -> bool {
    // `{}` is the least text for the most values.
    if text.len() / 2 * (OBJECT_VALUES + 1) <= PAYLOAD_VALUES_MAX {
        return true;
    }
    let (mut values, mut is_text, mut is_escaped) = (1_usize, false, false);
    for &byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b',' | b'[' => values += 1,
            b'{' => values += 1 + OBJECT_VALUES,
            _ => {}
        }
    }
    values <= PAYLOAD_VALUES_MAX
}

/// Says whether a value is so large that going through it takes longer than others should wait: some
/// milliseconds.
#[must_use]
pub fn is_large(value: &Value) -> bool {
    const VALUES: usize = 2_000;
    const TEXT_BYTES_PER_VALUE: usize = 64;
    let cost = |text: &str| text.len() / TEXT_BYTES_PER_VALUE;
    count(value, VALUES, &cost).is_none()
}

/// Says whether a value holds more values than a payload may.
#[must_use]
pub fn holds_too_many(value: &Value) -> bool {
    count(value, PAYLOAD_VALUES_MAX, &|_| 0).is_none()
}

/// Counts values, and `text` for each text; returns how many more there might be.
fn count(value: &Value, left: usize, text: &impl Fn(&str) -> usize) -> Option<usize> {
    let left = left.checked_sub(1)?;
    match value {
        Value::String(words) => left.checked_sub(text(words)),
        Value::Array(items) => items
            .iter()
            .try_fold(left, |left, item| count(item, left, text)),
        Value::Object(fields) => {
            let left = left.checked_sub(OBJECT_VALUES)?;
            fields.iter().try_fold(left, |left, (key, value)| {
                count(value, left.checked_sub(text(key))?, text)
            })
        }
        _ => Some(left),
    }
}

/// Returns the bytes of a value as JSON; `None` when they, or its values, are more than a payload may
/// have.
pub(crate) fn bytes(value: &Value) -> Option<usize> {
    if holds_too_many(value) {
        return None;
    }
    let mut meter = Meter {
        left: PAYLOAD_BYTES_MAX,
    };
    serde_json::to_writer(&mut meter, value).ok()?;
    Some(PAYLOAD_BYTES_MAX - meter.left)
}

/// Counts what is written, and stops it where there is too much.
struct Meter {
    left: usize,
}

impl Write for Meter {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(written.len()) {
            Some(left) => {
                self.left = left;
                Ok(written.len())
            }
            None => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes the failure of a step or run that was to keep too large an input.
pub(crate) fn input_too_large(what: &str, cure: &str) -> Failure {
    Failure::fatal("input_too_large", sentence(what, cure))
}

/// Makes the failure of a step or run that came to too large an output.
pub(crate) fn output_too_large(what: &str, cure: &str) -> Failure {
    Failure::fatal("output_too_large", sentence(what, cure))
}

fn sentence(what: &str, cure: &str) -> String {
    format!(
        "{what} more than {PAYLOAD_BYTES_MAX} bytes as JSON or {PAYLOAD_VALUES_MAX} values, the limit \
         of one payload; {cure}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{bytes, holds_few, holds_too_many, read};
    use crate::limits::{OBJECT_VALUES, PAYLOAD_BYTES_MAX, PAYLOAD_VALUES_MAX};

    #[test]
    fn values_are_counted_before_they_are_read() {
        let list = |n: usize| format!("[{}1]", "1,".repeat(n - 2));
        let objects = |n: usize| format!("[{}1]", r#"{"a":1},"#.repeat(n));
        let most = PAYLOAD_VALUES_MAX;
        let in_each = OBJECT_VALUES + 2;
        for (text, few) in [
            (list(most - 1), true),
            (list(most + 2), false),
            (objects(most / (in_each + 1)), true),
            (objects(most / in_each + 1), false),
            (format!("{:?}", ",[{".repeat(most)), true),
            (format!(r#""\\\"{}""#, ",[{".repeat(most)), true),
            ("[".repeat(most + 1), false),
        ] {
            assert_eq!(holds_few(text.as_bytes()), few, "{:.20}", text);
            match read(text.as_bytes()) {
                Ok(value) => assert!(few && !holds_too_many(&value), "{:.20}", text),
                Err(error) => assert!(!few, "{error} in {:.20}", text),
            }
        }
    }

    #[test]
    fn bytes_are_those_of_the_json() {
        for value in [
            json!(null),
            json!({ "a": [1, 2.5, true, "b\n\u{1}\"ü🦆"], "empty": {} }),
            json!([]),
        ] {
            assert_eq!(bytes(&value), Some(value.to_string().len()), "{value}");
        }
    }

    #[test]
    fn the_limit_itself_is_not_too_much() {
        let text = |length: usize| json!("x".repeat(length));
        let quotes = 2;
        let most = PAYLOAD_BYTES_MAX - quotes;
        assert_eq!(bytes(&text(most)), Some(PAYLOAD_BYTES_MAX));
        assert_eq!(bytes(&text(most + 1)), None);
    }
}
