//! Why a step or a run did not complete, in the form that the API shows and the database keeps.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::limits::FAILURE_CHARS_MAX;
use crate::told::brief;

/// The error of a run or a step: `{type, message, step, retryable}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word: `agent_error`, `http_status`, `connect`, `timeout`, `expression`,
    /// `task_error`, `panic`, `lost`, `poisoned`, `run_timeout`, `child_failed`, `unknown_agent`,
    /// `unknown_workflow`, `child_input`, `input_invalid`, `input_too_large`, `output_too_large`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence for a person.
    pub message: String,
    /// The step it came from; null when the run itself failed, and in the error of a step.
    #[serde(default)]
    pub step: Option<String>,
    /// Whether trying again may help.
    pub retryable: bool,
}

impl Failure {
    /// Makes a failure that trying again will not mend. A long message is cut.
    pub fn fatal(kind: impl Into<String>, message: impl Display) -> Self {
        Self {
            kind: kind.into(),
            message: brief(message, FAILURE_CHARS_MAX),
            step: None,
            retryable: false,
        }
    }

    /// Makes a failure that another attempt may mend.
    pub fn retryable(kind: impl Into<String>, message: impl Display) -> Self {
        Self {
            retryable: true,
            ..Self::fatal(kind, message)
        }
    }
}
