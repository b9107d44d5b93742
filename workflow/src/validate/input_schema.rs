//! A workflow's `input_schema`: JSON Schema 2020-12 that stands on its own.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::{Finding, errors};
use crate::told::Told;

/// The one dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A schema that was compiled.
#[derive(Clone, Debug)]
pub struct InputSchema {
    validator: Validator,
    /// In how many parts it looks at a value.
    parts: usize,
}

impl InputSchema {
    /// Compiles a schema. Nothing is fetched: a `$ref` to somewhere else is a finding, and so is a
    /// pattern whose matching could take more than linear time.
    pub(crate) fn compile(schema: &Value, pointer: &str) -> Result<Self, Told<Finding>> {
        if let Some(dialect) = schema.get("$schema")
            && dialect.as_str().map(|d| d.trim_end_matches('#')) != Some(DIALECT)
        {
            return Err(Told::from(vec![Finding::rule(
                format!("{pointer}/$schema"),
                format!("this must be `{DIALECT}`, or be left out"),
            )]));
        }
        let mut findings = Told::new();
        let meta = jsonschema::draft202012::meta::validator();
        // That one refers to itself; how often is of no interest, as it looks at each part but once.
        errors::each(&meta, META_PARTS, schema, |error| {
            findings.push(Finding::rule(
                format_args!("{pointer}{}", error.instance_path()),
                format_args!("this is not valid JSON Schema 2020-12: {error}"),
            ));
            !findings.is_over()
        });
        if !findings.is_empty() {
            return Err(findings);
        }
        let validator = jsonschema::draft202012::options()
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map_err(|error| {
                Told::from(vec![Finding::rule(
                    format_args!("{pointer}{}", error.instance_path()),
                    format_args!("this schema cannot be used: {error}"),
                )])
            })?;
        let parts = errors::parts(schema);
        Ok(Self { validator, parts })
    }

    /// Returns where a value does not fit. The sentences do not repeat the value.
    #[must_use]
    pub fn violations(&self, value: &Value) -> Told<Finding> {
        let mut findings = Told::new();
        errors::each(&self.validator, self.parts, value, |error| {
            findings.push(Finding::rule(error.instance_path(), error.masked()));
            !findings.is_over()
        });
        findings
    }
}

/// Rules that the dialect has for one part of a schema.
const META_PARTS: usize = 4;
