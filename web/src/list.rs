//! The shape of every list.

use salvo::oapi::{Array, BasicType, Components, Object, RefOr, Schema, ToSchema};
use serde::Serialize;
use serde_json::{Value, json};

use crate::example::Example;

/// Up to here lists are counted exactly: counting costs as much as reading.
pub const COUNT_MAX: i64 = 10_000;

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    pub items: Vec<T>,
    /// `null` on the last page.
    pub next_cursor: Option<String>,
    #[serde(flatten)]
    pub total: Option<Total>,
}

/// How many entries there are, if the client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    total: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_is_estimate: bool,
}

impl Total {
    /// A counted number.
    #[must_use]
    pub const fn exact(total: i64) -> Self {
        Self {
            total,
            total_is_estimate: false,
        }
    }

    /// A number that the planner guessed.
    #[must_use]
    pub const fn estimate(total: i64) -> Self {
        Self {
            total,
            total_is_estimate: true,
        }
    }
}

impl<T: ToSchema> ToSchema for List<T> {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        let next = Object::new()
            .schema_type(salvo::oapi::schema::SchemaType::from_iter([
                BasicType::String,
                BasicType::Null,
            ]))
            .description("The cursor of the next page; null on the last.");
        Object::new()
            .property("items", Array::new().items(T::to_schema(components)))
            .required("items")
            .property("next_cursor", next)
            .required("next_cursor")
            .property(
                "total",
                Object::with_type(BasicType::Integer)
                    .description("With `count=true`: how many there are."),
            )
            .property(
                "total_is_estimate",
                Object::with_type(BasicType::Boolean)
                    .description("Whether `total` is an estimate; absent when it is exact."),
            )
            .into()
    }
}

impl<T: Example> Example for List<T> {
    fn example() -> Value {
        json!({"items": [T::example()], "next_cursor": null})
    }
}
