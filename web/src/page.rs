//! Pages of lists. A cursor is opaque to clients: it holds which list it is of, where the last page
//! ended, and in which order.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use salvo::oapi::{BasicType, Object, Parameter, ParameterIn};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits::{CURSOR_CHARS_MAX, OFFSET_MAX, PAGE_DEFAULT, PAGE_MAX};
use crate::openapi::optional;
use crate::query::Reader;

/// Which page of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which list it is of.
    pub list: &'static str,
    pub limit: u32,
    pub offset: u32,
    pub sort_by: &'static str,
    pub descending: bool,
    /// Where the page before this one ended.
    pub after: Option<Position>,
    /// Whether the client wants to know how many there are.
    pub count: bool,
}

/// The last entry of a page: its sort key as text, and its id to tell equals apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    #[serde(rename = "k")]
    pub key: String,
    #[serde(rename = "i")]
    pub id: Uuid,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    #[serde(rename = "l")]
    list: String,
    #[serde(rename = "s")]
    sort_by: String,
    #[serde(rename = "d")]
    descending: bool,
    #[serde(flatten)]
    position: Position,
}

impl Page {
    /// Reads the page's parameters. The first of `sorts` is the default, newest or highest first.
    /// A cursor of another list than `list` is refused.
    pub fn read(reader: &mut Reader, list: &'static str, sorts: &[&'static str]) -> Self {
        let sort_by = reader.one_of("sort_by", sorts);
        let order = reader.one_of("sort_order", &["asc", "desc"]);
        let offset = reader.number("offset", 0..=OFFSET_MAX);
        let cursor = reader.text("cursor");
        let mut page = Self {
            list,
            limit: reader.number("limit", 1..=PAGE_MAX).unwrap_or(PAGE_DEFAULT),
            offset: offset.unwrap_or(0),
            sort_by: sort_by
                .or_else(|| sorts.first().copied())
                .unwrap_or_default(),
            descending: order != Some("asc"),
            after: None,
            count: reader.flag("count").unwrap_or(false),
        };
        if let Some(text) = cursor {
            // Nothing to skip is the default, which pages for trying out fill in.
            if page.offset > 0 {
                reader.fault("offset", "give cursor or offset, not both");
            }
            match open(&text) {
                None => reader.fault("cursor", "this is not a cursor that a list has given out"),
                Some(cursor) if cursor.list != list => {
                    reader.fault("cursor", "this cursor belongs to another list");
                }
                Some(cursor) => {
                    // A cursor carries its order, so that the next page needs nothing but the cursor.
                    let sort = sorts.iter().copied().find(|sort| *sort == cursor.sort_by);
                    let same = sort.is_some()
                        && sort_by.is_none_or(|asked| Some(asked) == sort)
                        && order.is_none_or(|asked| (asked == "desc") == cursor.descending);
                    if same {
                        page.sort_by = sort.unwrap_or_default();
                        page.descending = cursor.descending;
                        page.after = Some(cursor.position);
                    } else {
                        reader.fault("cursor", "this cursor belongs to a list in another order");
                    }
                }
            }
        }
        page
    }

    /// Makes the cursor of the page that follows one ending at `position`.
    #[must_use]
    pub fn cursor(&self, position: Position) -> String {
        let cursor = Cursor {
            list: self.list.into(),
            sort_by: self.sort_by.into(),
            descending: self.descending,
            position,
        };
        seal(&cursor)
    }

    /// Describes the page's parameters.
    #[must_use]
    pub fn describe(list: &'static str, sorts: &[&'static str]) -> Vec<Parameter> {
        let number = |from: u32, to: u32, default: u32| {
            Object::with_type(BasicType::Integer)
                .minimum(from)
                .maximum(to)
                .default_value(default.into())
        };
        let words = |words: &[&'static str], default: &str| {
            Object::with_type(BasicType::String)
                .enum_values(words.iter().copied())
                .default_value(default.into())
        };
        vec![
            parameter(
                "limit",
                "Entries of a page.",
                number(1, PAGE_MAX, PAGE_DEFAULT),
                50.into(),
            ),
            parameter(
                "cursor",
                "`next_cursor` of the page before; it keeps the order.",
                cursor_schema(),
                example_cursor(list, sorts).into(),
            ),
            parameter(
                "offset",
                "Entries to skip. Beyond 10,000 use a cursor.",
                number(0, OFFSET_MAX, 0),
                0.into(),
            ),
            parameter(
                "sort_by",
                "What to sort by.",
                words(sorts, sorts.first().copied().unwrap_or_default()),
                sorts.first().copied().unwrap_or_default().into(),
            ),
            parameter(
                "sort_order",
                "The direction.",
                words(&["asc", "desc"], "desc"),
                "desc".into(),
            ),
            parameter(
                "count",
                "Whether to say how many there are in all: exact up to 10,000, after that an estimate.",
                Object::with_type(BasicType::Boolean).default_value(false.into()),
                true.into(),
            ),
        ]
    }
}

/// What every cursor looks like.
#[must_use]
pub fn cursor_schema() -> Object {
    Object::with_type(BasicType::String)
        .min_length(1)
        .max_length(CURSOR_CHARS_MAX)
        .pattern("^[A-Za-z0-9_-]+$")
}

/// A cursor that is read, after an entry that nobody has.
fn example_cursor(list: &str, sorts: &[&'static str]) -> String {
    let cursor = Cursor {
        list: list.into(),
        sort_by: sorts.first().copied().unwrap_or_default().into(),
        descending: true,
        position: Position {
            key: String::new(),
            id: Uuid::max(),
        },
    };
    seal(&cursor)
}

fn seal(cursor: &Cursor) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::json!(cursor).to_string())
}

/// Describes an optional query parameter.
#[must_use]
pub fn parameter(name: &str, about: &str, schema: Object, example: serde_json::Value) -> Parameter {
    optional(name, ParameterIn::Query, about, schema, example)
}

fn open(text: &str) -> Option<Cursor> {
    if text.len() > CURSOR_CHARS_MAX {
        return None;
    }
    let cursor: Cursor = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    // No key of ours has it, and PostgreSQL's text cannot.
    (!cursor.position.key.contains('\0')).then_some(cursor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Page, Position};
    use crate::query::{Parameters, Reader};
    use salvo::oapi::Parameter;
    use uuid::Uuid;

    struct Any(Page);

    impl Parameters for Any {
        fn read(reader: &mut Reader) -> Self {
            Self(Page::read(reader, "things", &["created_at", "name"]))
        }

        fn describe() -> Vec<Parameter> {
            Page::describe("things", &["created_at", "name"])
        }
    }

    fn read(query: &str) -> Result<Page, String> {
        Reader::read::<Any>(query)
            .map(|any| any.0)
            .map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn newest_first_is_the_default() {
        let page = read("").unwrap();
        assert_eq!(
            (page.limit, page.offset, page.sort_by, page.descending),
            (50, 0, "created_at", true)
        );
    }

    #[test]
    fn a_cursor_brings_back_its_position_and_order() {
        let page = read("sort_by=name&sort_order=asc").unwrap();
        let position = Position {
            key: "billing".into(),
            id: Uuid::from_u128(7),
        };
        let next = read(&format!("cursor={}", page.cursor(position.clone()))).unwrap();
        assert_eq!(
            (next.sort_by, next.descending, next.after),
            ("name", false, Some(position))
        );
    }

    #[test]
    fn a_cursor_that_was_tampered_with_is_refused() {
        let cursor = read("").unwrap().cursor(Position {
            key: String::new(),
            id: Uuid::nil(),
        });
        let mut tampered = cursor.clone();
        tampered.replace_range(4..5, "!");
        assert!(
            read(&format!("cursor={tampered}"))
                .unwrap_err()
                .contains("not a cursor")
        );
        assert!(read("cursor=e30").unwrap_err().contains("not a cursor"));
        assert!(
            read(&format!("cursor={cursor}&sort_by=name"))
                .unwrap_err()
                .contains("another order")
        );
        assert!(
            read(&format!("cursor={cursor}&offset=1"))
                .unwrap_err()
                .contains("not both")
        );
    }

    #[test]
    fn a_cursor_is_of_its_list_and_holds_what_a_text_can() {
        let sealed = |list: &'static str, key: &str| {
            let position = Position {
                key: key.into(),
                id: Uuid::nil(),
            };
            let page = Page {
                list,
                ..read("sort_by=name").unwrap()
            };
            format!("cursor={}", page.cursor(position))
        };
        assert!(read(&sealed("things", "a")).is_ok());
        let refused = |query: &str| read(query).unwrap_err();
        assert!(refused(&sealed("things", "\0")).contains("not a cursor"));
        assert!(refused(&sealed("others", "a")).contains("another list"));
    }

    #[test]
    fn limits_are_kept() {
        for query in [
            "limit=0",
            "limit=201",
            "limit=x",
            "offset=10001",
            "offset=-1",
        ] {
            assert!(read(query).unwrap_err().contains("whole number"), "{query}");
        }
    }
}
