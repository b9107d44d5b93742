//! An error that an agent or an external worker reports.

use salvo::oapi::schema::{AdditionalProperties, OneOf};
use salvo::oapi::{BasicType, Components, Object, RefOr, Schema, ToSchema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use stepwell_workflow::Failure;
use stepwell_workflow::limits::FAILURE_CHARS_MAX;

/// Characters of an error's type: a word.
const TYPE_CHARS_MAX: usize = 64;

/// A sentence, or an object with more to say.
#[derive(Debug)]
pub enum ErrorInput {
    Text(String),
    Said(SaidError),
}

// By hand, because serde's untagged enums tell neither what is wrong nor where.
impl<'de> Deserialize<'de> for ErrorInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ErrorInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, or an object with a `message`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ErrorInput, E> {
                Ok(ErrorInput::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ErrorInput, A::Error> {
                SaidError::deserialize(MapAccessDeserializer::new(map)).map(ErrorInput::Said)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// An error in full.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaidError {
    message: String,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    retryable: Option<bool>,
}

impl ErrorInput {
    /// Makes the failure of the attempt. `retryable` is what holds when the error says nothing.
    #[must_use]
    pub fn failure(self, kind: &str, retryable: bool) -> Failure {
        let (message, own, retryable) = match self {
            Self::Text(message) => (message, None, retryable),
            Self::Said(said) => (
                said.message,
                said.r#type,
                said.retryable.unwrap_or(retryable),
            ),
        };
        let kind = own.filter(|kind| !kind.is_empty()).map_or_else(
            || kind.to_owned(),
            |kind| kind.chars().take(TYPE_CHARS_MAX).collect(),
        );
        Failure {
            kind,
            message: message.chars().take(FAILURE_CHARS_MAX).collect(),
            step: None,
            retryable,
        }
    }
}

impl ToSchema for ErrorInput {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        let text = || Object::with_type(BasicType::String);
        let said = Object::new()
            .additional_properties(AdditionalProperties::FreeForm(false))
            .property("message", text())
            .required("message")
            .property(
                "type",
                text().description("A stable word, which `retry_on` may name."),
            )
            .property(
                "retryable",
                Object::with_type(BasicType::Boolean)
                    .description("Whether another attempt may help; true when absent."),
            );
        RefOr::Type(Schema::OneOf(OneOf::new().item(text()).item(said)))
    }
}
