//! How messages are stored: a kind, and a JSON payload with the rest.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stepwell_workflow::Failure;
use uuid::Uuid;

use super::Word;
use crate::detached::Report;

#[derive(Serialize, Deserialize)]
struct Cancel {
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Signal {
    name: String,
    #[serde(default)]
    payload: Value,
}

#[derive(Serialize, Deserialize)]
struct Retry {
    #[serde(default)]
    from_step: Option<String>,
    #[serde(default)]
    reset: bool,
}

#[derive(Serialize, Deserialize)]
struct ChildEnded {
    step: u16,
    #[serde(default)]
    item: Option<u32>,
    child_run_id: Uuid,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    output: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// Returns kind and payload.
pub(crate) fn encode(word: Word) -> (&'static str, String) {
    fn json(payload: impl Serialize) -> String {
        // These types have string keys and nothing that can fail.
        serde_json::to_string(&payload).unwrap_or_else(|_| "{}".to_owned())
    }
    match word {
        Word::Cancel { reason } => ("cancel", json(Cancel { reason })),
        Word::Signal { name, payload } => ("signal", json(Signal { name, payload })),
        Word::Pause => ("pause", "{}".to_owned()),
        Word::Resume => ("resume", "{}".to_owned()),
        Word::Admitted => ("admitted", "{}".to_owned()),
        Word::Retry { from_step, reset } => ("retry", json(Retry { from_step, reset })),
        Word::Reported(report) => ("reported", report.to_json()),
        Word::Check => ("check", "{}".to_owned()),
        Word::ChildEnded {
            step,
            item,
            child_run_id,
            result,
        } => {
            let (output, failure) = match result {
                Ok(output) => (output, None),
                Err(failure) => (Value::Null, Some(failure)),
            };
            let payload = ChildEnded {
                step,
                item,
                child_run_id,
                output,
                failure,
            };
            ("child_ended", json(payload))
        }
    }
}

/// Reads a stored message.
pub(super) fn decode(kind: &str, payload: &str) -> Result<Word, String> {
    fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, String> {
        serde_json::from_str(payload).map_err(|error| error.to_string())
    }
    Ok(match kind {
        "cancel" => Word::Cancel {
            reason: read::<Cancel>(payload)?.reason,
        },
        "signal" => {
            let Signal { name, payload } = read(payload)?;
            Word::Signal { name, payload }
        }
        "pause" => Word::Pause,
        "resume" => Word::Resume,
        "retry" => {
            let Retry { from_step, reset } = read(payload)?;
            Word::Retry { from_step, reset }
        }
        "reported" => Word::Reported(Report::of_json(payload)?),
        "check" => Word::Check,
        "admitted" => Word::Admitted,
        "child_ended" => {
            let ended: ChildEnded = read(payload)?;
            Word::ChildEnded {
                step: ended.step,
                item: ended.item,
                child_run_id: ended.child_run_id,
                result: ended.failure.map_or(Ok(ended.output), Err),
            }
        }
        other => return Err(format!("there is no message of kind {other}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_its_storage() {
        let child = |result| Word::ChildEnded {
            step: 3,
            item: Some(17),
            child_run_id: crate::clock::id(),
            result,
        };
        for word in [
            Word::Admitted,
            Word::Cancel { reason: None },
            Word::Cancel {
                reason: Some("ü\0🦆".into()),
            },
            Word::Signal {
                name: "go".into(),
                payload: serde_json::json!({"a": [1, null]}),
            },
            Word::Pause,
            Word::Resume,
            Word::Check,
            Word::Retry {
                from_step: Some("b".into()),
                reset: true,
            },
            child(Ok(Value::Null)),
            child(Ok(Value::from(7))),
            child(Err(Failure::fatal("agent_error", "no"))),
        ] {
            let (kind, payload) = encode(word.clone());
            assert_eq!(decode(kind, &payload), Ok(word));
        }
        assert!(decode("dance", "{}").is_err());
    }
}
