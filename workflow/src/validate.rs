//! Says everything that is wrong with a definition, each finding with a JSON pointer.
//!
//! The document is what a client posts, without `id` and whatever else identifies the stored
//! workflow: the caller takes those out first. Its shape is checked against
//! `schema/definition.json`; what is left of it is then compiled, which finds the broken rules. Both
//! look at every field they can still read, so that one answer names all that is wrong, within the
//! bounds of [`crate::told`].
//!
//! Whether the agents and workflows exist that it names, the caller looks up by [`References`].

mod errors;
mod input_schema;
mod shape;

use std::fmt::Display;

use serde::Serialize;
use serde_json::Value;

use crate::told::{DETAIL_CHARS_MAX, POINTER_CHARS_MAX, Tell, Told, brief, json_bytes};
use crate::{Definition, Plan};

pub use input_schema::InputSchema;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// RFC 6901 pointer into the document, `""` for the whole.
    pub pointer: String,
    /// What is wrong and what to do.
    pub detail: String,
    /// Whether the shape is wrong (unknown field, wrong type: 400) or a rule is broken (422).
    #[serde(skip)]
    pub malformed: bool,
}

/// All that is wrong, never empty.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the definition has {} finding(s)", .0.count())]
pub struct Findings(pub Told<Finding>);

/// What a definition names outside itself; the caller checks that it exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// (pointer, agent name or id)
    pub agents: Vec<(String, String)>,
    /// (pointer, workflow slug or id), only literal ones
    pub workflows: Vec<(String, String)>,
    /// (pointer, workflow slug or id, version), only of literal ones
    pub versions: Vec<(String, String, i32)>,
}

/// Reads and checks a definition.
///
/// # Errors
/// Every finding, as far as [`Told`] goes.
pub fn validate(document: &Value) -> Result<(Definition, References), Findings> {
    let (_, references) = check(document)?;
    let definition = serde_json::from_value(document.clone())
        .map_err(|error| Findings(vec![Finding::malformed("", error.to_string())].into()))?;
    Ok((definition, references))
}

/// Returns what a document names outside itself, as far as it can be read: a broken one too.
#[must_use]
pub fn references(document: &Value) -> References {
    crate::plan::compile(document).1
}

/// Checks a document and compiles it.
pub(crate) fn check(document: &Value) -> Result<(Plan, References), Findings> {
    // What is too large is not looked at any closer.
    if let Some(finding) = crate::plan::too_large(document) {
        return Err(Findings(vec![finding].into()));
    }
    let mut findings = shape::findings(document);
    if findings.is_over() {
        return Err(Findings(findings));
    }
    let (plan, references, broken) = crate::plan::compile(document);
    for finding in broken {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    match plan {
        Some(plan) if findings.is_empty() => Ok((plan, references)),
        _ => Err(Findings(findings)),
    }
}

impl Finding {
    /// Makes a finding about a broken rule.
    pub fn rule(pointer: impl Display, detail: impl Display) -> Self {
        Self {
            pointer: brief(pointer, POINTER_CHARS_MAX),
            detail: brief(detail, DETAIL_CHARS_MAX),
            malformed: false,
        }
    }

    /// Makes a finding about a wrong shape.
    pub fn malformed(pointer: impl Display, detail: impl Display) -> Self {
        Self {
            malformed: true,
            ..Self::rule(pointer, detail)
        }
    }
}

impl Tell for Finding {
    fn bytes(&self) -> usize {
        json_bytes(&self.pointer) + json_bytes(&self.detail) + FINDING_BYTES
    }
}

/// Bytes of JSON around what a finding says: `{"pointer":"","detail":""},`.
const FINDING_BYTES: usize = 32;

/// Appends a token to a JSON pointer, escaped. One that is longer than is ever told grows no further:
/// under a key of a megabyte there may be ten thousand expressions, each with its place.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    if pointer.len() > POINTER_CHARS_MAX * char::MAX_LEN_UTF8 {
        return;
    }
    pointer.push('/');
    for letter in token.chars().take(POINTER_CHARS_MAX) {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
