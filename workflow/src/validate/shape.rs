//! Which fields there are and of which type, against `schema/definition.json`, in sentences.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::{Value, json};

use super::{Finding, errors, push_token};
use crate::told::Told;

const SCHEMA: &str = include_str!("../../schema/definition.json");

/// Step types whose config has a shape, and the name of that shape.
const CONFIGS: [(&str, &str); 12] = [
    ("agent", "agent"),
    ("http", "http"),
    ("webhook", "http"),
    ("delay", "delay"),
    ("transform", "transform"),
    ("decide", "decide"),
    ("map", "map"),
    ("wait", "wait"),
    ("workflow", "workflow"),
    ("task", "task"),
    ("external", "external"),
    ("emit", "emit"),
];

static DEFINITION: LazyLock<Validator> = LazyLock::new(|| validator_of("definition"));
/// Each is made when the first step of its type comes: a worker's first runs wait for that, and most workflows
/// have few types.
static BY_TYPE: LazyLock<HashMap<&str, (&str, OnceLock<Validator>)>> = LazyLock::new(|| {
    CONFIGS
        .iter()
        .map(|(kind, shape)| (*kind, (*shape, OnceLock::new())))
        .collect()
});

/// Rules that the schema has for one part of a document.
const SHAPE_PARTS: usize = 4;

fn validator_of(shape: &str) -> Validator {
    let mut schema: Value =
        serde_json::from_str(SCHEMA).expect("the schema is part of the crate and is JSON");
    schema["$ref"] = json!(format!("#/$defs/{shape}"));
    jsonschema::draft202012::new(&schema).expect("the schema is part of the crate and is valid")
}

/// Returns what is wrong with the shape of a definition.
pub(super) fn findings(document: &Value) -> Told<Finding> {
    let mut findings = Told::new();
    against(&DEFINITION, document, "", &mut findings);
    let steps = document.get("steps").and_then(Value::as_array);
    for (index, step) in steps.into_iter().flatten().enumerate() {
        if findings.is_over() {
            return findings;
        }
        let pointer = format!("/steps/{index}");
        config_findings(step, &pointer, &mut findings);
        if let Some(compensation) = step.get("compensate") {
            config_findings(
                compensation,
                &format!("{pointer}/compensate"),
                &mut findings,
            );
        }
    }
    let on_failure = document.get("on_failure").and_then(Value::as_array);
    for (index, step) in on_failure.into_iter().flatten().enumerate() {
        config_findings(step, &format!("/on_failure/{index}"), &mut findings);
    }
    findings
}

/// Checks the config of a step, and of the step inside a map.
fn config_findings(step: &Value, pointer: &str, findings: &mut Told<Finding>) {
    let Some((shape, validator)) = step
        .get("type")
        .and_then(Value::as_str)
        .and_then(|kind| BY_TYPE.get(kind))
    else {
        return;
    };
    let validator = validator.get_or_init(|| validator_of(shape));
    let nothing = json!({});
    let config = match step.get("config") {
        None => &nothing,
        Some(config) if config.is_object() => config,
        Some(_) => return,
    };
    let pointer = format!("{pointer}/config");
    against(validator, config, &pointer, findings);
    if step["type"] == "map"
        && let Some(inner) = config.get("step")
    {
        config_findings(inner, &format!("{pointer}/step"), findings);
    }
}

fn against(validator: &Validator, value: &Value, pointer: &str, findings: &mut Told<Finding>) {
    errors::each(validator, SHAPE_PARTS, value, |error| {
        describe(error, pointer, findings);
        !findings.is_over()
    });
}

fn describe(error: &ValidationError<'_>, prefix: &str, findings: &mut Told<Finding>) {
    let at = format!("{prefix}{}", error.instance_path());
    let below = |field: &str| {
        let mut pointer = at.clone();
        push_token(&mut pointer, field);
        pointer
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            for field in unexpected {
                if findings.is_over() {
                    return;
                }
                findings.push(Finding::malformed(
                    below(field),
                    format!("the field `{field}` is unknown here; remove it or check its spelling"),
                ));
            }
        }
        ValidationErrorKind::Required { property } => {
            let field = property.as_str().unwrap_or_default();
            findings.push(Finding::malformed(
                at,
                format!("the field `{field}` is missing"),
            ));
        }
        ValidationErrorKind::Type { kind } => findings.push(Finding::malformed(
            at,
            format!(
                "this must be {}, not {}",
                wanted(kind),
                crate::expression::kind(error.instance())
            ),
        )),
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(|option| format!("`{}`", option.as_str().unwrap_or_default()))
                .collect();
            findings.push(Finding::rule(
                at,
                format!("this must be one of {}", options.join(", ")),
            ));
        }
        _ => findings.push(Finding::malformed(at, error.masked().to_string())),
    }
}

fn wanted(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(single) => article(*single).to_owned(),
        TypeKind::Multiple(several) => several.iter().map(article).collect::<Vec<_>>().join(" or "),
    }
}

fn article(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "a whole number",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    }
}
