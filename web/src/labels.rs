//! Labels: words that clients put on workflows and runs, to find them again.

use std::collections::BTreeMap;

use salvo::oapi::{BasicType, Object};

use crate::limits::PARAMETER_CHARS_MAX;
use crate::problem::{Fault, Faults};
use crate::query::Reader;

/// Labels of one workflow or run: more is data, and belongs into the input.
pub const LABELS_MAX: usize = 64;
/// Characters of a label's key.
pub const KEY_CHARS_MAX: usize = 63;
/// Characters of a label's value.
pub const VALUE_CHARS_MAX: usize = 255;

/// Adds what is wrong with labels that stand at `pointer`.
pub fn check(labels: &BTreeMap<String, String>, pointer: &str, faults: &mut Faults) {
    if labels.len() > LABELS_MAX {
        let detail = format!(
            "has {} labels, at most {LABELS_MAX} are allowed",
            labels.len()
        );
        faults.push(Fault::at(pointer, detail));
    }
    for (key, value) in labels {
        if faults.is_over() {
            return;
        }
        let at = || format!("{pointer}/{}", crate::body::escape(key));
        if !is_key(key) {
            let detail = format!(
                "a key has 1 to {KEY_CHARS_MAX} characters of A-Z, a-z, 0-9 and ._/-, not {key:?}"
            );
            faults.push(Fault::at(at(), detail));
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            let detail = format!("has more than {VALUE_CHARS_MAX} characters");
            faults.push(Fault::at(at(), detail));
        }
    }
}

/// Reads the filter `label=key:value`, which may be repeated; all of them must fit.
pub fn read(reader: &mut Reader) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for text in reader.texts("label") {
        match text.split_once(':') {
            Some((key, value)) if is_key(key) => {
                labels.insert(key.to_owned(), value.to_owned());
            }
            _ => reader.fault("label", format!("label must be key:value, not {text:?}")),
        }
    }
    labels
}

/// The schema of that filter.
#[must_use]
pub fn schema() -> Object {
    Object::with_type(BasicType::String)
        .max_length(PARAMETER_CHARS_MAX)
        .pattern(r"^[A-Za-z0-9._/-]{1,63}:[^\u0000]*$")
}

fn is_key(key: &str) -> bool {
    (1..=KEY_CHARS_MAX).contains(&key.len())
        && key
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"._/-".contains(&c))
}

#[cfg(test)]
mod tests {
    use super::{LABELS_MAX, check};
    use crate::problem::Faults;

    #[test]
    fn each_bad_label_is_told_with_its_place() {
        let mut faults = Faults::new();
        let labels = [
            ("a b", "x"),
            ("team/name", "ok"),
            ("long", &"x".repeat(256)),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        check(&labels.into(), "/labels", &mut faults);
        let places: Vec<_> = faults.iter().filter_map(|f| f.pointer.as_deref()).collect();
        assert_eq!(places, ["/labels/a b", "/labels/long"]);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut faults = Faults::new();
        let labels = (0..=LABELS_MAX).map(|n| (n.to_string(), String::new()));
        check(&labels.collect(), "/labels", &mut faults);
        assert_eq!(faults.len(), 1);
    }
}
