//! What a client asks for when it starts a run. [`super::check`] says what is wrong with it.

use std::collections::BTreeMap;

use salvo::oapi::ToSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_workflow::Time;

use super::limits::QUEUE_CHARS_MAX;
use crate::example::Example;
use crate::json::{Json, given};

/// A run of a workflow that the path names.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "ExecuteInput"))]
pub struct ExecuteInput {
    /// Checked against the version's `input_schema`; `{}` when absent.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Json, required = false))]
    pub input: Option<Json>,
    /// The latest when absent.
    #[serde(default)]
    #[salvo(schema(minimum = 1, maximum = 2_147_483_647))]
    pub version: Option<i32>,
    /// Not before this time; at once when absent or past.
    #[serde(default)]
    pub run_at: Option<Time>,
    /// The highest is next; 0 when absent.
    #[serde(default)]
    #[salvo(schema(minimum = -100, maximum = 100))]
    pub priority: Option<i64>,
    /// The lane of workers; `default` when absent.
    #[serde(default)]
    #[salvo(schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    pub queue: Option<String>,
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
    /// Milliseconds that the run may take, in place of the workflow's own.
    #[serde(default)]
    #[salvo(schema(minimum = 1, maximum = 31_622_400_000_i64))]
    pub timeout_ms: Option<i64>,
    /// At most one live run of the workflow has this key.
    #[serde(default)]
    #[salvo(schema(min_length = 1, max_length = 255))]
    pub dedupe_key: Option<String>,
    /// Where the end of the run is told: the event of it is sent there as to a subscriber, signed
    /// with the secret that is derived from the master key.
    #[serde(default)]
    #[salvo(schema(max_length = 2048))]
    pub callback_url: Option<String>,
}

impl ExecuteInput {
    /// Returns the bytes of its input.
    #[must_use]
    pub fn size(&self) -> usize {
        let input = self.input.as_ref();
        input.map_or(0, |Json(text)| text.get().len())
    }
}

/// A run of a workflow that the body names.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "RunInput"))]
pub struct RunInput {
    /// The slug or id.
    pub workflow: String,
    /// Checked against the version's `input_schema`; `{}` when absent.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Json, required = false))]
    pub input: Option<Json>,
    /// The latest when absent.
    #[serde(default)]
    #[salvo(schema(minimum = 1, maximum = 2_147_483_647))]
    pub version: Option<i32>,
    /// Not before this time; at once when absent or past.
    #[serde(default)]
    pub run_at: Option<Time>,
    /// The highest is next; 0 when absent.
    #[serde(default)]
    #[salvo(schema(minimum = -100, maximum = 100))]
    pub priority: Option<i64>,
    /// The lane of workers; `default` when absent.
    #[serde(default)]
    #[salvo(schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    pub queue: Option<String>,
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
    /// Milliseconds that the run may take, in place of the workflow's own.
    #[serde(default)]
    #[salvo(schema(minimum = 1, maximum = 31_622_400_000_i64))]
    pub timeout_ms: Option<i64>,
    /// At most one live run of the workflow has this key.
    #[serde(default)]
    #[salvo(schema(min_length = 1, max_length = 255))]
    pub dedupe_key: Option<String>,
    /// Where the end of the run is told: the event of it is sent there as to a subscriber, signed
    /// with the secret that is derived from the master key.
    #[serde(default)]
    #[salvo(schema(max_length = 2048))]
    pub callback_url: Option<String>,
}

impl Example for ExecuteInput {
    fn example() -> Value {
        json!({"input": {"user": "Ada"}, "priority": 10, "labels": {"team": "payments"}})
    }
}

impl Example for RunInput {
    fn example() -> Value {
        json!({"workflow": "my-workflow", "input": {"user": "Ada"}})
    }
}

impl RunInput {
    /// Returns the bytes of its input.
    #[must_use]
    pub fn size(&self) -> usize {
        let input = self.input.as_ref();
        input.map_or(0, |Json(text)| text.get().len())
    }

    /// Parts the workflow from what is asked of it.
    #[must_use]
    pub fn split(self) -> (String, ExecuteInput) {
        let order = ExecuteInput {
            input: self.input,
            version: self.version,
            run_at: self.run_at,
            priority: self.priority,
            queue: self.queue,
            labels: self.labels,
            timeout_ms: self.timeout_ms,
            dedupe_key: self.dedupe_key,
            callback_url: self.callback_url,
        };
        (self.workflow, order)
    }
}

/// Says whether a text can be the name of a queue.
#[must_use]
pub fn is_queue(name: &str) -> bool {
    let word = |c: u8| c.is_ascii_alphanumeric();
    (1..=QUEUE_CHARS_MAX).contains(&name.len())
        && name.bytes().next().is_some_and(word)
        && name.bytes().all(|c| word(c) || b"._-".contains(&c))
}

#[cfg(test)]
mod tests {
    use super::is_queue;

    #[test]
    fn queues_have_plain_names() {
        assert!(is_queue("gpu.large-2"));
        for name in ["", "-a", "a b", "ü", &"x".repeat(65)] {
            assert!(!is_queue(name), "{name}");
        }
    }
}
