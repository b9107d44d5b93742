//! What PostgreSQL's text cannot hold: the character U+0000. A string with it would break every
//! statement that reads it as `jsonb`, so none is let in, whatever the door.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use serde_json::Value;

use super::pointer::Pointer;
use crate::problem::{Fault, Faults};

const DETAIL: &str = "contains the character U+0000, which cannot be stored";

/// Says what is wrong with a text that is to be stored.
pub(crate) fn fault(text: &str) -> Option<&'static str> {
    text.contains('\0').then_some(DETAIL)
}

/// Checks a text that stands at a pointer.
pub(crate) fn text(text: &str, at: &str, faults: &mut Faults) {
    faults.extend(fault(text).map(|detail| Fault::at(at, detail)));
}

/// Checks every string of a JSON text. What is no JSON is for others to refuse.
pub(crate) fn json(bytes: &[u8], at: &str, faults: &mut Faults) {
    const ESCAPE: &[u8] = br"\u0000";
    // Within JSON the character stands escaped or not at all, and is nearly always absent.
    if !bytes.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return;
    }
    let mut at = Pointer::at(at);
    let walk = Walk {
        at: &mut at,
        faults,
    };
    // It stops at what is no JSON, and when enough was found.
    let _ = walk.deserialize(&mut serde_json::Deserializer::from_slice(bytes));
}

/// Checks every string of a JSON value, and the names of its fields.
pub(crate) fn value(value: &Value, at: &str, faults: &mut Faults) {
    let mut at = Pointer::at(at);
    let walk = Walk {
        at: &mut at,
        faults,
    };
    let _ = walk.deserialize(value);
}

/// Walks through JSON without keeping any of it.
struct Walk<'w> {
    at: &'w mut Pointer,
    faults: &'w mut Faults,
}

impl Walk<'_> {
    fn look<E: de::Error>(&mut self, text: &str) -> Result<(), E> {
        if let Some(detail) = fault(text) {
            self.faults.push(Fault::at(&*self.at, detail));
        }
        if self.faults.is_over() {
            return Err(E::custom("enough"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<(), E> {
        self.look(text)
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0.. {
            let mark = self.at.push_index(index);
            let walk = Walk {
                at: &mut *self.at,
                faults: &mut *self.faults,
            };
            let found = items.next_element_seed(walk)?;
            self.at.back(mark);
            if found.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        while let Some(key) = fields.next_key::<String>()? {
            if fault(&key).is_some() {
                self.look(&key)?;
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let mark = self.at.push(&key);
            let walk = Walk {
                at: &mut *self.at,
                faults: &mut *self.faults,
            };
            fields.next_value_seed(walk)?;
            self.at.back(mark);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Faults, json, value};

    fn places(text: &str) -> Vec<String> {
        let mut faults = Faults::new();
        json(text.as_bytes(), "/input", &mut faults);
        if let Ok(read) = serde_json::from_str(text) {
            let mut again = Faults::new();
            value(&read, "/input", &mut again);
            assert_eq!(faults.len(), again.len());
        }
        faults.into_iter().filter_map(|f| f.pointer).collect()
    }

    #[test]
    fn nul_is_found_in_values_and_names_and_a_written_backslash_is_not() {
        assert_eq!(
            places(
                r#"{"a": ["", "\u0000"], "b\u0000": 1, "c": [1, -1, 1.5, 1e99, null, {"d": "\u0000"}]}"#
            ),
            ["/input/a/1", "/input", "/input/c/5/d"]
        );
        assert_eq!(places(r#""\u0000""#), ["/input"]);
        assert!(places(r#"{"a": "\\u0000"}"#).is_empty());
        assert!(places(r#"{"a": "\u0000"#).len() <= 1);
    }

    #[test]
    fn it_stops_when_enough_was_found_and_says_little_of_long_keys() {
        let text = format!(
            "{{\"{}\": [{}1]}}",
            "k".repeat(100_000),
            "\"\\u0000\",".repeat(9_000)
        );
        let found = places(&text);
        assert!(found.len() <= 100);
        assert!(found.iter().all(|place| place.chars().count() <= 256));
    }
}
