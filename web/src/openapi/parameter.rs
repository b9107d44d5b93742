//! Optional parameters. Their example stands in their schema, where it is read and not used: Swagger
//! UI fills in the example of a parameter itself, and would try every filter at once.

use salvo::oapi::{BasicType, KnownFormat, Object, Parameter, ParameterIn, SchemaFormat};
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

/// The schema of a text that is an RFC 3339 time, a UUID, …
#[must_use]
pub fn text_of(format: KnownFormat) -> Object {
    Object::with_type(BasicType::String).format(SchemaFormat::KnownFormat(format))
}
