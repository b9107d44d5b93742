//! Query parameters: typed, every wrong one listed, unknown ones refused.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use salvo::oapi::{Components, Operation, Parameter};
use salvo::{Depot, Request};
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::extract::{Take, extractor};
use crate::limits::PARAMETER_CHARS_MAX;
use crate::problem::{self, Fault, Faults, Kind, Problem};

/// A set of query parameters that an endpoint knows.
pub trait Parameters: Sized + Send {
    /// Reads them. What is wrong is noted in the reader, and then the value does not matter.
    fn read(reader: &mut Reader) -> Self;

    /// Describes each of them, for the document.
    fn describe() -> Vec<Parameter>;
}

/// The query of a request.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// No query parameter at all.
#[derive(Debug)]
pub struct Nothing;

impl Parameters for Nothing {
    fn read(_reader: &mut Reader) -> Self {
        Self
    }

    fn describe() -> Vec<Parameter> {
        Vec::new()
    }
}

impl<T: Parameters + 'static> Take for Query<T> {
    async fn take(req: &mut Request, _depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        Reader::read(req.uri().query().unwrap_or_default()).map(Self)
    }

    fn describe(components: &mut Components, operation: &mut Operation, _arg: &str) {
        for parameter in T::describe() {
            operation.parameters.insert(parameter);
        }
        problem::describe(components, operation, &[Kind::InvalidParameter]);
    }
}
extractor!(Query<T: Parameters>);

/// Says whether a query is UTF-8 once it is decoded; otherwise a letter would be lost without a word.
fn is_utf8(query: &str) -> bool {
    let digit = |at: usize| char::from(*query.as_bytes().get(at)?).to_digit(16);
    let (mut bytes, mut at) = (Vec::with_capacity(query.len()), 0);
    while let Some(&byte) = query.as_bytes().get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                at += 3;
            }
            _ => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// Hands out parameters by name, and keeps account of what is wrong and what nobody asked for.
#[derive(Debug)]
pub struct Reader {
    pairs: Vec<(String, String)>,
    known: BTreeSet<&'static str>,
    faults: Faults,
}

impl Reader {
    /// Reads a whole query string.
    ///
    /// # Errors
    /// 400 that lists every parameter that is wrong or unknown.
    pub(crate) fn read<T: Parameters>(query: &str) -> Result<T, Problem> {
        if !is_utf8(query) {
            let detail = "The query is not UTF-8, percent-encoded.";
            return Err(Problem::new(Kind::InvalidParameter, detail));
        }
        let mut reader = Self {
            pairs: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            known: BTreeSet::new(),
            faults: Faults::new(),
        };
        let value = T::read(&mut reader);
        let mut faults = reader.faults;
        let unknown: BTreeSet<&str> = reader
            .pairs
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !reader.known.contains(name))
            .collect();
        let known: Vec<&str> = reader.known.iter().copied().collect();
        let hint = if known.is_empty() {
            "this path takes none".to_owned()
        } else {
            format!("known: {}", known.join(", "))
        };
        faults.extend(
            unknown
                .into_iter()
                .map(|name| Fault::parameter(name, format!("unknown parameter {name:?}; {hint}"))),
        );
        if faults.is_empty() {
            Ok(value)
        } else {
            Err(Problem::parameters(faults))
        }
    }

    /// Notes that a parameter cannot be used.
    pub fn fault(&mut self, name: &str, detail: impl std::fmt::Display) {
        self.faults.push(Fault::parameter(name, detail));
    }

    /// Returns every value of a parameter that may be repeated.
    pub fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.known.insert(name);
        let values: Vec<String> = self
            .pairs
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .collect();
        for value in &values {
            if value.chars().count() > PARAMETER_CHARS_MAX {
                self.fault(
                    name,
                    format!("{name} may have up to {PARAMETER_CHARS_MAX} characters"),
                );
            } else if value.contains('\0') {
                self.fault(name, format!("{name} contains the character U+0000"));
            }
        }
        values
    }

    /// Returns the value of a parameter that may be given once.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let mut values = self.texts(name);
        if values.len() > 1 {
            self.fault(
                name,
                format!("{name} is given {} times; give it once", values.len()),
            );
        }
        values.pop()
    }

    /// Returns a whole number within a range.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.fault(
                name,
                format!(
                    "{name} must be a whole number from {} to {}, not {text:?}",
                    range.start(),
                    range.end()
                ),
            );
        }
        number
    }

    /// Returns `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.one_of(name, &["true", "false"])
            .map(|word| word == "true")
    }

    /// Returns one of these words.
    pub fn one_of(&mut self, name: &'static str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(name)?;
        self.word(name, &text, words)
    }

    /// Returns some of these words.
    pub fn some_of(&mut self, name: &'static str, words: &[&'static str]) -> Vec<&'static str> {
        let texts = self.texts(name);
        texts
            .iter()
            .filter_map(|text| self.word(name, text, words))
            .collect()
    }

    fn word(&mut self, name: &str, text: &str, words: &[&'static str]) -> Option<&'static str> {
        let word = words.iter().copied().find(|word| *word == text);
        if word.is_none() {
            self.fault(
                name,
                format!("{name} must be one of {}, not {text:?}", words.join(", ")),
            );
        }
        word
    }

    /// Returns a UUID.
    pub fn uuid(&mut self, name: &'static str) -> Option<Uuid> {
        let text = self.text(name)?;
        let id = Uuid::try_parse(&text).ok();
        if id.is_none() {
            self.fault(name, format!("{name} must be a UUID, not {text:?}"));
        }
        id
    }

    /// Returns an RFC 3339 time.
    pub fn time(&mut self, name: &'static str) -> Option<Time> {
        let text = self.text(name)?;
        self.instant(name, &text)
    }

    /// Returns an RFC 3339 time, or the beginning of a date in UTC.
    pub fn day_or_time(&mut self, name: &'static str) -> Option<Time> {
        let text = self.text(name)?;
        match text.parse::<chrono::NaiveDate>() {
            Ok(day) => Some(day.and_time(chrono::NaiveTime::MIN).and_utc()),
            Err(_) => self.instant(name, &text),
        }
    }

    fn instant(&mut self, name: &str, text: &str) -> Option<Time> {
        let time = chrono::DateTime::parse_from_rfc3339(text).ok();
        if time.is_none() {
            self.fault(
                name,
                format!(
                    "{name} must be an RFC 3339 time such as 2026-03-01T12:00:00Z, not {text:?}"
                ),
            );
        }
        time.map(|time| time.to_utc())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Parameters, Reader, is_utf8};
    use salvo::oapi::Parameter;

    #[derive(Debug, PartialEq)]
    struct Filter {
        limit: Option<u32>,
        status: Vec<&'static str>,
        after: Option<stepwell_workflow::Time>,
    }

    impl Parameters for Filter {
        fn read(reader: &mut Reader) -> Self {
            Self {
                limit: reader.number("limit", 1..=200),
                status: reader.some_of("status", &["failed", "completed"]),
                after: reader.time("created_after"),
            }
        }

        fn describe() -> Vec<Parameter> {
            Vec::new()
        }
    }

    #[test]
    fn typed_values_come_out() {
        let filter: Filter = Reader::read(
            "limit=5&status=failed&status=completed&created_after=2026-03-01T12%3A00%3A00%2B01:00",
        )
        .unwrap();
        assert_eq!(filter.limit, Some(5));
        assert_eq!(filter.status, ["failed", "completed"]);
        assert_eq!(
            filter.after.unwrap().to_rfc3339(),
            "2026-03-01T11:00:00+00:00"
        );
    }

    #[test]
    fn a_query_is_utf_8() {
        for query in ["limit=5&x=%ff", "%C3=1", "x=%e2%82&limit=5"] {
            let problem = Reader::read::<Filter>(query).unwrap_err();
            assert!(format!("{problem:?}").contains("UTF-8"), "{query}");
        }
        for query in ["status=failed&limit=%35", "limit=5&status=%66ailed"] {
            assert_eq!(Reader::read::<Filter>(query).unwrap().limit, Some(5));
        }
        assert!(is_utf8("a=%C3%BC&b=100%&c=%zz&d=ü"));
    }

    #[test]
    fn everything_wrong_is_listed_with_its_name() {
        let problem = Reader::read::<Filter>("limit=0&status=lost&created_after=x&page=2&limit=3")
            .unwrap_err();
        let text = format!("{problem:?}");
        for expected in [
            "limit is given 2 times",
            "status must be one of failed, completed, not",
            "created_after must be an RFC 3339 time",
            "known: created_after, limit, status",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
    }
}
