//! The signing secrets in a definition: `sign` of the steps that send webhooks. They are taken out
//! before a definition is kept, and put back when it is compiled. Wherever else a definition is seen,
//! a mask stands in their place.
//!
//! A secret is known by its *place*: the step's name and, for a step inside of a step, the way there.
//! So it is found again when the steps are put into another order.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// What is seen in place of a secret, and may be sent back to keep it.
pub const MASK: &str = "•••";

/// The lists of steps in a definition.
const LISTS: [&str; 2] = ["steps", "on_failure"];
/// Where a step may hold a step.
const INSIDE: [&str; 2] = ["/config/step", "/compensate"];
const SECRET: &str = "/config/sign";

/// Secrets by their place.
pub type ByPlace = BTreeMap<String, String>;

/// Takes the secrets out of a parsed definition and leaves the mask; gives them by their place.
pub fn take(definition: &mut Value) -> ByPlace {
    let mut taken = ByPlace::new();
    each(definition, &mut |place, _, secret| {
        taken.insert(place.to_owned(), std::mem::replace(secret, MASK.to_owned()));
    });
    taken
}

/// Puts secrets where they were taken.
pub fn put_back(definition: &mut Value, secrets: &ByPlace) {
    each(definition, &mut |place, _, secret| {
        if let Some(kept) = secrets.get(place) {
            secret.clone_from(kept);
        }
    });
}

/// Puts the mask in place of the secrets in the text of a definition. All else stays as it was
/// written, but for the white space of the objects around a secret.
///
/// # Errors
/// When the text is not a definition that was parsed before.
pub fn mask(text: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
    let mut definition: Value = serde_json::from_str(text.get())?;
    let mut pointers = Vec::new();
    each(&mut definition, &mut |_, pointer, _| {
        pointers.push(pointer.to_owned());
    });
    let mut masked = text.get().to_owned();
    let word = serde_json::to_string(MASK)?;
    for pointer in pointers {
        let way: Vec<&str> = pointer.split('/').skip(1).collect();
        masked = replaced(&masked, &way, &word)?;
    }
    RawValue::from_string(masked)
}

/// Returns the pointer of each place, for findings.
#[must_use]
pub fn pointers(definition: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    each(&mut definition.clone(), &mut |place, pointer, _| {
        found.insert(place.to_owned(), pointer.to_owned());
    });
    found
}

/// Visits each secret with its place and its JSON pointer.
fn each(definition: &mut Value, visit: &mut impl FnMut(&str, &str, &mut String)) {
    for list in LISTS {
        let steps = definition.get_mut(list).and_then(Value::as_array_mut);
        for (index, step) in steps.into_iter().flatten().enumerate() {
            let name = step.get("name").and_then(Value::as_str).unwrap_or_default();
            let place = format!("{list}/{name}");
            within(step, &place, &format!("/{list}/{index}"), visit);
        }
    }
}

fn within(
    step: &mut Value,
    place: &str,
    pointer: &str,
    visit: &mut impl FnMut(&str, &str, &mut String),
) {
    if let Some(Value::String(secret)) = step.pointer_mut(SECRET) {
        visit(place, &format!("{pointer}{SECRET}"), secret);
    }
    for way in INSIDE {
        if let Some(inner) = step.pointer_mut(way) {
            within(
                inner,
                &format!("{place}{way}"),
                &format!("{pointer}{way}"),
                visit,
            );
        }
    }
}

/// The fields of an object in their order, their values as they were written. A field that was
/// written twice counts the last time.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    match fields.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, before)) => *before = value,
                        None => fields.push((name, value)),
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Returns the text with what stands at the end of `way` replaced.
fn replaced(text: &str, way: &[&str], by: &str) -> Result<String, serde_json::Error> {
    let Some((first, rest)) = way.split_first() else {
        return Ok(by.to_owned());
    };
    let mut parts = Vec::new();
    let list = text.trim_start().starts_with('[');
    if list {
        let items: Vec<Box<RawValue>> = serde_json::from_str(text)?;
        for (index, item) in items.iter().enumerate() {
            parts.push(if index.to_string() == **first {
                replaced(item.get(), rest, by)?
            } else {
                item.get().to_owned()
            });
        }
        return Ok(format!("[{}]", parts.join(",")));
    }
    let Fields(fields) = serde_json::from_str(text)?;
    for (name, value) in &fields {
        let value = if name == first {
            replaced(value.get(), rest, by)?
        } else {
            value.get().to_owned()
        };
        parts.push(format!("{}:{value}", serde_json::to_string(name)?));
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use serde_json::json;

    fn definition() -> Value {
        let hook = |secret: &str| json!({"type": "webhook", "config": {"url": "http://x", "sign": secret}});
        let mut first = hook("whsec_one");
        first["name"] = json!("first");
        first["compensate"] = hook("whsec_back");
        json!({"name": "n", "steps": [
            first,
            {"name": "each", "type": "map", "config": {"items": "${input}", "step": hook("whsec_item")}},
            {"name": "plain", "type": "transform", "config": {"value": {"config": {"sign": "mine"}}}},
        ], "on_failure": [{"name": "alert", "type": "webhook", "config": {"sign": "whsec_alert"}}]})
    }

    #[test]
    fn every_secret_is_taken_and_comes_back() {
        let (mut masked, whole) = (definition(), definition());
        let taken = take(&mut masked);
        let places: Vec<_> = taken.keys().map(String::as_str).collect();
        assert_eq!(
            places,
            [
                "on_failure/alert",
                "steps/each/config/step",
                "steps/first",
                "steps/first/compensate"
            ]
        );
        assert!(!masked.to_string().contains("whsec_"));
        assert!(masked.to_string().contains("mine"), "data is no secret");
        put_back(&mut masked, &taken);
        assert_eq!(masked, whole);
    }

    #[test]
    fn a_secret_is_found_in_another_order() {
        let mut masked = definition();
        let taken = take(&mut masked);
        masked["steps"].as_array_mut().unwrap().reverse();
        put_back(&mut masked, &taken);
        assert_eq!(masked["steps"][2]["config"]["sign"], "whsec_one");
        assert_eq!(pointers(&masked)["steps/first"], "/steps/2/config/sign");
    }

    #[test]
    fn the_text_keeps_how_it_was_written() {
        let text = r#"{"steps":[ {"name":"a","n":2.50,"config":{"sign":"x","sign":"whsec_a","b":[ 1 ]}},
            {"z":1,  "a":2.50}]}"#;
        let text = RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(
            mask(&text).unwrap().get(),
            r#"{"steps":[{"name":"a","n":2.50,"config":{"sign":"•••","b":[ 1 ]}},{"z":1,  "a":2.50}]}"#
        );
        let nothing = r#"{"steps":[ {"name":"a"} ]}"#;
        let nothing = RawValue::from_string(nothing.to_owned()).unwrap();
        assert_eq!(mask(&nothing).unwrap().get(), nothing.get());
    }
}
