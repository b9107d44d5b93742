//! Optional parameters. Their example stands in their schema, where it is read and not used: Swagger
//! UI fills in the example of a parameter itself, and would try every filter at once.

use salvo::oapi::{Array, BasicType, KnownFormat, Object, Parameter, ParameterIn, SchemaFormat};
use serde_json::Value;

/// Describes a parameter that may be left out.
#[must_use]
pub fn optional(
    name: &str,
    place: ParameterIn,
    about: &str,
    schema: Object,
    example: impl Into<Value>,
) -> Parameter {
    Parameter::new(name)
        .location(place)
        .description(about)
        .schema(schema.example(example))
}

/// Describes a query parameter that may be given several times, each time one of `items`.
#[must_use]
pub fn repeatable(name: &str, about: &str, items: Object, example: &str) -> Parameter {
    Parameter::new(name)
        .location(ParameterIn::Query)
        .description(about)
        .schema(
            Array::new()
                .items(items)
                .example(serde_json::json!([example])),
        )
}

/// The schema of a text that is an RFC 3339 time, a UUID, …
#[must_use]
pub fn text_of(format: KnownFormat) -> Object {
    Object::with_type(BasicType::String).format(SchemaFormat::KnownFormat(format))
}
