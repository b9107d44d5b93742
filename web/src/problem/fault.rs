//! One thing that is wrong, and a list of them, both within bounds.

use std::fmt::Display;

use serde::Serialize;
use stepwell_workflow::told::{DETAIL_CHARS_MAX, POINTER_CHARS_MAX, Tell, Told, brief, json_bytes};
use stepwell_workflow::validate::Finding;

/// Bytes of JSON around what a fault says: `{"parameter":"","detail":""},`.
const FAULT_BYTES: usize = 32;

/// What is wrong with a request, as far as it is told.
pub type Faults = Told<Fault>;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// RFC 6901 pointer into the body, `""` for the whole of it; a long one ends in `…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The query parameter, path parameter or header, where it is one of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong and what to do.
    pub detail: String,
}

impl Fault {
    /// Says that something in the body is wrong.
    pub fn at(pointer: impl Display, detail: impl Display) -> Self {
        Self {
            pointer: Some(brief(pointer, POINTER_CHARS_MAX)),
            parameter: None,
            detail: brief(detail, DETAIL_CHARS_MAX),
        }
    }

    /// Says that a parameter or header is wrong.
    pub fn parameter(name: impl Display, detail: impl Display) -> Self {
        Self {
            pointer: None,
            parameter: Some(brief(name, POINTER_CHARS_MAX)),
            detail: brief(detail, DETAIL_CHARS_MAX),
        }
    }
}

impl From<Finding> for Fault {
    fn from(finding: Finding) -> Self {
        Self::at(finding.pointer, finding.detail)
    }
}

impl Tell for Fault {
    fn bytes(&self) -> usize {
        let place = self.pointer.as_ref().or(self.parameter.as_ref());
        place.map_or(0, |place| json_bytes(place)) + json_bytes(&self.detail) + FAULT_BYTES
    }
}
