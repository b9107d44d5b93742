//! JSON that is handed through as it was written: not parsed, not made anew, in its own order.

use salvo::oapi::schema::SchemaType;
use salvo::oapi::{Components, Object, RefOr, Schema, ToSchema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Any JSON, as it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub Box<RawValue>);

impl ToSchema for Json {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        Object::new().schema_type(SchemaType::AnyValue).into()
    }
}

impl From<Box<RawValue>> for Json {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

/// Tells `null` from a field that is left out: with `default`, only the latter is `None`.
///
/// # Errors
/// As the value itself.
pub fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}
