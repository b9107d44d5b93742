//! An error that an agent or an external worker reports.

use salvo::oapi::schema::OneOf;
use salvo::oapi::{BasicType, Components, Object, RefOr, Schema, ToSchema};
use serde::Deserialize;
use stepwell_workflow::Failure;

/// Characters of an error's message: enough for a person, and it goes into the audit log.
const MESSAGE_CHARS_MAX: usize = 4_096;
/// Characters of an error's type: a word.
const TYPE_CHARS_MAX: usize = 64;

/// A sentence, or an object with more to say.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum ErrorInput {
    Text(String),
    Said(SaidError),
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
            message: message.chars().take(MESSAGE_CHARS_MAX).collect(),
            step: None,
            retryable,
        }
    }
}

impl ToSchema for ErrorInput {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        let text = || Object::with_type(BasicType::String);
        let said = Object::new()
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
