//! A person decides: what they are asked, and whether their answer counts.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::expression::Template;
use crate::limits::COMMENT_CHARS_MAX;
use crate::told::Told;
use crate::validate::Finding;
use crate::{Plan, Time};

use super::Kind;

/// What a person is asked.
#[derive(Debug)]
pub struct Approval {
    pub prompt: Option<Template>,
    /// Never empty.
    pub choices: Vec<Arc<str>>,
    /// The actors who may decide; `None`: everybody who may signal.
    pub approvers: Option<Vec<Arc<str>>>,
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody else must decide.
    NotAnApprover,
    /// What is wrong with the payload, with pointers into it.
    Invalid(Told<Finding>),
}

impl Approval {
    /// Returns what is shown of it: the input of the step that waits.
    pub(crate) fn asked(&self, prompt: Option<&Value>) -> Value {
        json!({ "prompt": prompt, "choices": self.choices, "approvers": self.approvers })
    }

    /// Checks an answer, `{choice, comment?}`, by this actor.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn check(&self, payload: &Value, actor: &str) -> Result<(), Refusal> {
        if let Some(approvers) = &self.approvers
            && !approvers.iter().any(|name| is_of(name, actor))
        {
            return Err(Refusal::NotAnApprover);
        }
        let choices = || {
            let choices: Vec<_> = self.choices.iter().map(|c| format!("`{c}`")).collect();
            choices.join(", ")
        };
        let Some(fields) = payload.as_object() else {
            let detail = format!("must be {{choice, comment}} with a choice of {}", choices());
            return Err(Refusal::Invalid(vec![Finding::rule("", detail)].into()));
        };
        let mut findings = Told::new();
        let chosen = fields.get("choice").and_then(Value::as_str);
        if !chosen.is_some_and(|chosen| self.choices.iter().any(|c| &**c == chosen)) {
            let detail = format!("must be one of {}", choices());
            findings.push(Finding::rule("/choice", detail));
        }
        match fields.get("comment") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.chars().count() <= COMMENT_CHARS_MAX => {}
            Some(_) => {
                let detail = format!("must be a text of at most {COMMENT_CHARS_MAX} characters");
                findings.push(Finding::rule("/comment", detail));
            }
        }
        for field in unknown(fields) {
            let mut pointer = String::new();
            crate::validate::push_token(&mut pointer, field);
            findings.push(Finding::rule(pointer, "is unknown; remove it"));
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid(findings))
        }
    }

    /// Returns the output of the step that this answer completes.
    pub(crate) fn decision(payload: &Value, actor: &str, at: Time) -> Value {
        json!({
            "choice": payload["choice"], "comment": payload["comment"],
            "decided_by": actor, "decided_at": at,
        })
    }
}

/// Says whether an approver's name is this actor's: the whole name (`user:ann`), or that of a key or a user alone (`ann`). One
/// with a colon is a whole name, as a user may be called like that.
fn is_of(approver: &str, actor: &str) -> bool {
    let bare = actor
        .strip_prefix("key:")
        .or_else(|| actor.strip_prefix("user:"));
    approver == actor || !approver.contains(':') && bare == Some(approver)
}

fn unknown(fields: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let names = fields.keys().map(String::as_str);
    names.filter(|name| !["choice", "comment"].contains(name))
}

impl Plan {
    /// Returns the approval that is decided by this signal.
    #[must_use]
    pub fn approval(&self, name: &str) -> Option<&Approval> {
        self.steps
            .iter()
            .find_map(|step| match approval_of(&step.kind) {
                Some((signal, approval)) if signal == name => Some(approval),
                _ => None,
            })
    }
}

/// Returns the approval of a step or of a map's items, with its signal.
fn approval_of(kind: &Kind) -> Option<(&str, &Approval)> {
    match kind {
        Kind::Wait {
            signal,
            approval: Some(approval),
            ..
        } => Some((signal, approval)),
        Kind::Map(map) => approval_of(&map.step.kind),
        _ => None,
    }
}

/// Returns the signal that a step or a map's items wait for.
pub(super) fn signal_of(kind: &Kind) -> Option<(&str, bool)> {
    match kind {
        Kind::Wait {
            signal, approval, ..
        } => Some((signal, approval.is_some())),
        Kind::Map(map) => signal_of(&map.step.kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn an_approver_is_named_with_its_kind_or_without() {
        for (approver, actor) in [
            ("ann", "key:ann"),
            ("ann", "user:ann"),
            ("key:ann", "key:ann"),
            ("anonymous", "anonymous"),
        ] {
            assert!(is_of(approver, actor), "{approver} {actor}");
        }
        for (approver, actor) in [
            ("key:ann", "user:key:ann"),
            ("key:ann", "user:ann"),
            ("ann", "sql:ann"),
            ("ann", "ann2"),
            ("ann", "key:annx"),
        ] {
            assert!(!is_of(approver, actor), "{approver} {actor}");
        }
    }
}
