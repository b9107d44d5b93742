//! How large a payload is: the bytes of its JSON, as it is stored and sent. Whatever a run makes
//! itself, out of expressions or of many small answers, is measured before it is kept.

use std::io::{self, Write};

use serde_json::Value;

use crate::Failure;
use crate::limits::PAYLOAD_BYTES_MAX;

/// Returns the bytes of a value as JSON; `None` when they are more than a payload may have.
pub(crate) fn bytes(value: &Value) -> Option<usize> {
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
    format!("{what} more than {PAYLOAD_BYTES_MAX} bytes as JSON, the limit of one payload; {cure}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::bytes;
    use crate::limits::PAYLOAD_BYTES_MAX;

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
