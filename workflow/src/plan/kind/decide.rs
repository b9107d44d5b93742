//! `decide`: the first rule that holds gives the value.

use serde_json::Value;

use crate::plan::site::Site;
use crate::plan::{Kind, Rule};

/// Compiles the config of a decision.
pub(super) fn compile(site: &mut Site<'_, '_, '_>) -> Option<Kind> {
    let Some(Value::Array(written)) = site.fields.get("rules") else {
        return None;
    };
    if written.is_empty() {
        site.finding("rules", "a decision needs at least one rule");
        return None;
    }
    let pointer = site.pointer_of("rules");
    let mut rules = Vec::with_capacity(written.len());
    for (index, rule) in written.iter().enumerate() {
        let Some(fields) = rule.as_object() else {
            continue;
        };
        let mut rule = site.at(format!("{pointer}/{index}"), fields, site.item);
        let when = rule.expression_of("when", crate::expression::Kind::Bool);
        let value = rule.template("value");
        let reason = rule.template("reason");
        if let (Some(when), Some(value)) = (when, value) {
            rules.push(Rule {
                when,
                value,
                reason,
            });
        }
    }
    let default = site.template("default");
    (rules.len() == written.len()).then_some(Kind::Decide { rules, default })
}
