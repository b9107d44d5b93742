//! `delay`: a duration, or a time to wait for.

use serde_json::Value;

use crate::plan::Delay;
use crate::plan::delay::{duration_of, time_of};
use crate::plan::site::Site;

/// Compiles the config of a delay.
pub(super) fn compile(site: &mut Site<'_, '_, '_>) -> Option<Delay> {
    let field = match (site.has("duration"), site.has("until")) {
        (true, false) => "duration",
        (false, true) => "until",
        _ => {
            let pointer = site.pointer.clone();
            site.finding_at(pointer, "a delay has either a `duration` or an `until`");
            return None;
        }
    };
    let value = site.template(field)?;
    let until = field == "until";
    let Some(literal) = value.literal() else {
        return Some(Delay::Computed { value, until });
    };
    if !matches!(literal, Value::String(_) | Value::Number(_)) {
        return None;
    }
    let delay = if until {
        time_of(literal).map(Delay::Until)
    } else {
        duration_of(literal).map(Delay::For)
    };
    delay.map_err(|problem| site.finding(field, problem)).ok()
}
