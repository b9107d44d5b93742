//! A definition in two parts: its steps, each as it was written, and the rest.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::answer::Result;
use crate::problem::Problem;

/// What of a step is looked at here.
#[derive(Debug, Deserialize)]
pub(super) struct Sketch {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) sequence: Option<i64>,
    #[serde(default)]
    pub(super) needs: Option<Vec<String>>,
}

impl Sketch {
    /// Reads what can be read: the rest is the check's to tell.
    pub(super) fn of(step: &RawValue) -> Self {
        serde_json::from_str(step.get()).unwrap_or(Self {
            name: None,
            sequence: None,
            needs: None,
        })
    }
}

/// A definition whose steps are taken out.
#[derive(Debug)]
pub(super) struct Document {
    fields: BTreeMap<String, Box<RawValue>>,
    pub(super) steps: Vec<Box<RawValue>>,
}

impl Document {
    /// Takes a stored definition apart.
    pub(super) fn of(definition: &RawValue) -> Result<Self> {
        let mut fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(definition.get()).map_err(Problem::internal)?;
        let steps = fields
            .remove("steps")
            .ok_or_else(|| Problem::internal("a stored definition has no steps"))?;
        Ok(Self {
            fields,
            steps: serde_json::from_str(steps.get()).map_err(Problem::internal)?,
        })
    }

    /// Puts it together again.
    pub(super) fn whole(&self) -> Result<Box<RawValue>> {
        let mut fields = self.fields.clone();
        let steps = to_raw_value(&self.steps).map_err(Problem::internal)?;
        fields.insert("steps".to_owned(), steps);
        to_raw_value(&fields).map_err(Problem::internal)
    }

    /// Returns where the step of this name stands.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let named = |step: &RawValue| Sketch::of(step).name.as_deref() == Some(name);
        self.steps.iter().position(|step| named(step))
    }

    /// Returns the places of the steps in the order in which they are listed: by `sequence` where they
    /// have one, else as written.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.steps.len()).collect();
        places.sort_by_key(|&place| Sketch::of(&self.steps[place]).sequence.unwrap_or(i64::MAX));
        places
    }

    /// Returns the names of the steps that name this one in `needs`.
    pub(super) fn needing(&self, name: &str) -> Vec<String> {
        let sketches = self.steps.iter().map(|step| Sketch::of(step));
        sketches
            .filter(|step| step.needs.iter().flatten().any(|need| need == name))
            .filter_map(|step| step.name)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Document, RawValue};

    fn document(text: &str) -> Document {
        Document::of(&RawValue::from_string(text.to_owned()).unwrap()).unwrap()
    }

    #[test]
    fn steps_keep_their_words_and_their_order() {
        let text = r#"{"name":"n","steps":[{"name":"b","sequence":2,  "z":2.50},{"name":"a","sequence":1}]}"#;
        let document = document(text);
        assert_eq!(document.order(), [1, 0]);
        assert_eq!(document.place("a"), Some(1));
        assert_eq!(document.place("c"), None);
        assert_eq!(document.whole().unwrap().get(), text);
    }

    #[test]
    fn those_who_need_a_step_are_known() {
        let text = r#"{"steps":[{"name":"a"},{"name":"b","needs":["a"]},{"name":"c","needs":[]}]}"#;
        assert_eq!(document(text).needing("a"), ["b"]);
    }
}
