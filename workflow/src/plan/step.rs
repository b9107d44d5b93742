//! One step: what the order needs to know of it, and its compilation.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::site::Site;
use super::{Delivery, Kind, Lane, OnError, PlannedStep, StepNo, kind};
use crate::expression::Use;
use crate::limits::{LANE_CHARS_MAX, NAME_CHARS_MAX};
use crate::retry::RetryPolicy;
use crate::told::Told;
use crate::validate::Finding;

/// A step as written, as far as it can be read.
pub(super) struct Draft<'d> {
    /// Empty if it has none.
    pub(super) name: &'d str,
    pub(super) pointer: String,
    pub(super) fields: &'d Map<String, Value>,
    /// The names in `needs` with their places.
    pub(super) needs: Option<Vec<(usize, &'d str)>>,
    pub(super) sequence: Option<i64>,
    pub(super) is_async: bool,
}

impl<'d> Draft<'d> {
    /// Reads a step, and checks its name.
    pub(super) fn read(at: usize, step: &'d Value, findings: &mut Told<Finding>) -> Option<Self> {
        let fields = step.as_object()?;
        let pointer = format!("/steps/{at}");
        let name = fields.get("name").and_then(Value::as_str);
        if let Some(name) = name
            && !is_name(name)
        {
            findings.push(Finding::rule(
                format!("{pointer}/name"),
                format!(
                    "a step's name is made of letters, digits, `_` and `-`, begins with a letter \
                     or `_`, and has at most {NAME_CHARS_MAX} characters"
                ),
            ));
        }
        // JSON Schema takes 1.0 for a whole number, the definition does not.
        if let Some(Value::Number(sequence)) = fields.get("sequence")
            && !sequence.is_i64()
        {
            findings.push(Finding::rule(
                format!("{pointer}/sequence"),
                "this must be a whole number, written without a fraction",
            ));
        }
        let needs = fields.get("needs").and_then(Value::as_array).map(|needs| {
            needs
                .iter()
                .enumerate()
                .filter_map(|(index, name)| Some((index, name.as_str()?)))
                .collect()
        });
        Some(Self {
            name: name.unwrap_or_default(),
            pointer,
            fields,
            needs,
            sequence: fields.get("sequence").and_then(Value::as_i64),
            is_async: fields.get("execution_type").and_then(Value::as_str) == Some("async"),
        })
    }
}

/// Says whether a text is a name: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.len() <= NAME_CHARS_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Compiles a step, without its place in the order. `None` if something is wrong with it.
pub(super) fn compile(site: &mut Site<'_, '_, '_>, name: &Arc<str>) -> Option<PlannedStep> {
    let when = site.expression_of("when", crate::expression::Kind::Bool);
    let own_retry = retry(site);
    let timeout = site.millis("timeout_ms");
    let on_error = match site.text("on_error") {
        Some("continue") => OnError::Continue,
        Some("skip_rest") => OnError::SkipRest,
        _ => OnError::Fail,
    };
    let delivery = match site.text("delivery") {
        Some("at_most_once") => Delivery::AtMostOnce,
        _ => Delivery::AtLeastOnce,
    };
    // Whoever wants a step at most once does not want it again because its answer was late.
    let retry = match delivery {
        Delivery::AtMostOnce => own_retry.or(Some(RetryPolicy::once())),
        Delivery::AtLeastOnce => own_retry,
    };
    let word = kind::word(site);
    let kind = kind::compile(site, name);
    let lane = lane(site, kind.as_ref());
    let kind = kind?;
    Some(PlannedStep {
        name: Arc::clone(name),
        word: word?,
        kind,
        needs: Vec::new(),
        names_needs: false,
        reads: Vec::new(),
        dependents: Vec::new(),
        when,
        retry,
        timeout,
        on_error,
        delivery,
        lane,
        undo: None,
        undoes: None,
    })
}

/// What the name of a queue or topic looks like.
pub(super) const LANE_RULE: &str =
    "has 1 to 64 letters, digits, `.`, `_` and `-`, and begins with a letter or digit";

/// Returns the steps whose results are used, each once.
pub(super) fn reads(uses: &[(String, Use)]) -> Vec<StepNo> {
    let mut reads: Vec<StepNo> = uses.iter().map(|(_, used)| used.step).collect();
    reads.sort_unstable();
    reads.dedup();
    reads
}

/// Says whether a text can be the name of a queue or topic.
pub(super) fn is_lane(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= LANE_CHARS_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Says whether a worker makes attempts of such a step.
pub(super) const fn makes_attempts(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Agent { .. } | Kind::Http { .. } | Kind::Task { .. }
    )
}

/// Reads on which queue the attempts are made.
fn lane(site: &mut Site<'_, '_, '_>, kind: Option<&Kind>) -> Lane {
    let Some(queue) = site.text("queue") else {
        return Lane::Here;
    };
    if !is_lane(queue) {
        site.finding("queue", format!("a queue's name {LANE_RULE}"));
    } else if kind.is_some_and(|kind| !makes_attempts(kind)) {
        site.finding(
            "queue",
            "only steps of type `agent`, `http`, `webhook` and `task` are made by a worker; \
             remove this",
        );
    }
    Lane::Queue(queue.into())
}

fn retry(site: &mut Site<'_, '_, '_>) -> Option<RetryPolicy> {
    let written = site.fields.get("retry")?;
    let pointer = site.pointer_of("retry");
    let (policy, findings) = RetryPolicy::read(written, &pointer);
    site.gathered.findings.extend(findings);
    policy
}
