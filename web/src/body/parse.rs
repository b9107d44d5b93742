//! From bytes to a known shape, or to where and how they differ from it.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::storable;
use crate::problem::{Fault, Faults, Kind, Problem};

/// Reads JSON of a known shape.
///
/// # Errors
/// 400 with line and column, or with a pointer; 422 for text that the database cannot hold.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take a list for an object, by position.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let value: Result<Value, _> = serde_json::from_slice(bytes);
        return Err(value.map_or_else(
            |error| explain::<T>(bytes, &error),
            |_| {
                Problem::new(
                    Kind::MalformedBody,
                    "The body must be an object, not a list.",
                )
                .with_errors(vec![Fault::at("", "must be an object, not a list")])
            },
        ));
    }
    match serde_json::from_slice(bytes) {
        Ok(value) => {
            let mut faults = Faults::new();
            storable::json(bytes, "", &mut faults);
            if faults.is_empty() {
                Ok(value)
            } else {
                Err(Problem::invalid(faults))
            }
        }
        // Only now, because it is slower: read it again to learn where it went wrong.
        Err(error) => Err(explain::<T>(bytes, &error)),
    }
}

fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return Problem::new(Kind::MalformedJson, capital(&error.to_string()));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let pointer = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => String::new(),
        Err(error) => pointer(error.path()),
    };
    let detail = error.to_string();
    let detail = detail
        .rsplit_once(" at line ")
        .map_or(detail.as_str(), |(words, _)| words);
    let detail = plain(detail);
    Problem::new(Kind::MalformedBody, capital(&detail))
        .with_errors(vec![Fault::at(pointer, detail)])
}

/// Says types in words that are not Rust's.
fn plain(detail: &str) -> String {
    let Some((found, expected)) = detail.rsplit_once(", expected ") else {
        return detail.to_owned();
    };
    let words = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{found}, expected {words}")
}

fn capital(sentence: &str) -> String {
    let mut rest = sentence.chars();
    let first = rest.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(rest).chain(['.']).collect()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .fold(String::new(), |so_far, segment| match segment {
            Segment::Seq { index } => format!("{so_far}/{index}"),
            Segment::Map { key } => format!("{so_far}/{}", escape(key)),
            Segment::Enum { .. } | Segment::Unknown => so_far,
        })
}

/// Escapes a key for use in a JSON pointer.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Kind, parse};
    use serde::Deserialize;
    use serde_json::{Value, json};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[expect(dead_code, reason = "only its type matters")]
        name: String,
        #[serde(default)]
        #[expect(dead_code, reason = "only its type matters")]
        steps: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its type matters")]
        timeout_ms: u32,
    }

    fn refused(body: &str) -> (Kind, Value) {
        let mut res = salvo::Response::new();
        let problem = parse::<Shape>(body.as_bytes()).unwrap_err();
        let kind = problem.kind();
        problem.render("/", "r", &mut res);
        let salvo::http::ResBody::Once(bytes) = res.take_body() else {
            unreachable!("the body is one piece")
        };
        (kind, serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn broken_json_names_line_and_column() {
        let (kind, body) = refused("{\n  \"name\": }");
        assert_eq!(kind, Kind::MalformedJson);
        assert_eq!(body["detail"], "Expected value at line 2 column 11.");
    }

    #[test]
    fn a_wrong_type_names_its_place() {
        let (kind, body) = refused(r#"{"name":"a","steps":[{"timeout_ms":1},{"timeout_ms":"x"}]}"#);
        assert_eq!(kind, Kind::MalformedBody);
        assert_eq!(body["errors"][0]["pointer"], "/steps/1/timeout_ms");
        assert_eq!(
            body["errors"][0]["detail"],
            "invalid type: string \"x\", expected a whole number from 0"
        );
    }

    #[test]
    fn an_unknown_field_names_its_place() {
        let (_, body) = refused(r#"{"name":"a","steps":[{"timeout_ms":1,"a/b":2}]}"#);
        assert_eq!(body["errors"][0]["pointer"], "/steps/0/a~1b");
    }

    #[test]
    fn a_list_is_not_an_object() {
        let (kind, body) = refused(r#"["a", []]"#);
        assert_eq!(kind, Kind::MalformedBody);
        assert_eq!(body["errors"][0]["pointer"], "");
        assert_eq!(refused("[").0, Kind::MalformedJson);
        assert_eq!(
            refused("1").1["detail"],
            "Invalid type: integer `1`, expected an object."
        );
    }

    #[test]
    fn nul_is_refused_wherever_it_is_and_a_written_backslash_is_not() {
        let (kind, body) = refused(r#"{"name":"a\u0000b"}"#);
        assert_eq!(kind, Kind::Invalid);
        assert_eq!(body["errors"][0]["pointer"], "/name");
        assert!(parse::<Shape>(br#"{"name":"a\\u0000b"}"#).is_ok());
        assert_eq!(parse::<Value>(b" {} ").unwrap(), json!({}));
    }
}
