//! A workflow's `input_schema`: JSON Schema 2020-12 that stands on its own.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::Finding;

/// The one dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Compiles a schema. Nothing is fetched: a `$ref` to somewhere else is a finding, and so is a
/// pattern whose matching could take more than linear time.
pub(crate) fn compile(schema: &Value, pointer: &str) -> Result<Validator, Vec<Finding>> {
    if let Some(dialect) = schema.get("$schema")
        && dialect.as_str().map(|d| d.trim_end_matches('#')) != Some(DIALECT)
    {
        return Err(vec![Finding::rule(
            format!("{pointer}/$schema"),
            format!("this must be `{DIALECT}`, or be left out"),
        )]);
    }
    let findings: Vec<Finding> = jsonschema::draft202012::meta::validator()
        .iter_errors(schema)
        .map(|error| {
            Finding::rule(
                format!("{pointer}{}", error.instance_path()),
                format!("this is not valid JSON Schema 2020-12: {error}"),
            )
        })
        .collect();
    if !findings.is_empty() {
        return Err(findings);
    }
    jsonschema::draft202012::options()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| {
            vec![Finding::rule(
                format!("{pointer}{}", error.instance_path()),
                format!("this schema cannot be used: {error}"),
            )]
        })
}

/// Returns where a value does not fit a schema. The sentences do not repeat the value.
pub(crate) fn violations(validator: &Validator, value: &Value) -> Vec<Finding> {
    validator
        .iter_errors(value)
        .map(|error| {
            Finding::rule(
                error.instance_path().to_string(),
                error.masked().to_string(),
            )
        })
        .collect()
}
