//! Lists that are read in one direction only, by the number of their entries. A cursor is opaque
//! to clients: it holds the number of the last entry they have seen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use salvo::oapi::{BasicType, Object, Parameter};
use uuid::Uuid;

use crate::limits::{CURSOR_CHARS_MAX, PAGE_DEFAULT, PAGE_MAX};
use crate::page::{self, parameter};
use crate::query::{Parameters, Reader};

/// Which part of such a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onward {
    pub limit: u32,
    /// The numbers of the last entry seen.
    pub after: Option<(i64, i64)>,
}

impl Parameters for Onward {
    fn read(reader: &mut Reader) -> Self {
        let limit = reader.number("limit", 1..=PAGE_MAX).unwrap_or(PAGE_DEFAULT);
        let text = reader.text("cursor");
        let after = text.as_deref().and_then(open);
        if text.is_some() && after.is_none() {
            reader.fault(
                "cursor",
                "this is not a cursor that this list has given out",
            );
        }
        Self { limit, after }
    }

    fn describe() -> Vec<Parameter> {
        vec![
            parameter(
                "limit",
                "Entries of a page.",
                Object::with_type(BasicType::Integer)
                    .minimum(1)
                    .maximum(PAGE_MAX)
                    .default_value(PAGE_DEFAULT.into()),
                PAGE_DEFAULT.into(),
            ),
            parameter(
                "cursor",
                "`next_cursor` of the page before.",
                page::cursor_schema(),
                cursor(50, 0).into(),
            ),
        ]
    }
}

/// Which part is asked for of a list whose entries are told apart by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnwardById {
    pub limit: u32,
    /// The last entry seen.
    pub after: Option<Uuid>,
}

impl Parameters for OnwardById {
    fn read(reader: &mut Reader) -> Self {
        let limit = reader.number("limit", 1..=PAGE_MAX).unwrap_or(PAGE_DEFAULT);
        let text = reader.text("cursor");
        let after = text.as_deref().and_then(open_id);
        if text.is_some() && after.is_none() {
            reader.fault(
                "cursor",
                "this is not a cursor that this list has given out",
            );
        }
        Self { limit, after }
    }

    fn describe() -> Vec<Parameter> {
        Onward::describe()
    }
}

/// Makes the cursor of what follows the entry with this id.
#[must_use]
pub fn cursor_after(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn open_id(text: &str) -> Option<Uuid> {
    if text.len() > CURSOR_CHARS_MAX {
        return None;
    }
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// Makes the cursor of what follows the entry with these numbers.
#[must_use]
pub fn cursor(major: i64, minor: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{major}.{minor}"))
}

fn open(text: &str) -> Option<(i64, i64)> {
    if text.len() > CURSOR_CHARS_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Onward, OnwardById, cursor, cursor_after};
    use crate::clock;
    use crate::query::Reader;

    #[test]
    fn a_cursor_brings_back_its_id() {
        let id = clock::id();
        let query = format!("cursor={}", cursor_after(id));
        let onward = Reader::read::<OnwardById>(&query).unwrap();
        assert_eq!(onward.after, Some(id));
        assert!(Reader::read::<OnwardById>("cursor=MTcuLTE").is_err());
    }

    #[test]
    fn a_cursor_brings_back_its_numbers() {
        let query = format!("limit=7&cursor={}", cursor(17, -1));
        let onward = Reader::read::<Onward>(&query).unwrap();
        assert_eq!((onward.limit, onward.after), (7, Some((17, -1))));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "x", "MTc", "!"] {
            assert!(
                Reader::read::<Onward>(&format!("cursor={text}")).is_err(),
                "{text}"
            );
        }
    }
}
