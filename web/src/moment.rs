//! Times as clients see them: RFC 3339 in UTC, to the millisecond, always with its three digits, so
//! that texts sort as the times do.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use salvo::oapi::{
    BasicType, Components, KnownFormat, Object, RefOr, Schema, SchemaFormat, ToSchema,
};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use stepwell_workflow::Time;

/// A time in an answer. Every answer tells its times by this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(Time);

impl From<Time> for Moment {
    fn from(time: Time) -> Self {
        Self(time)
    }
}

impl Moment {
    /// Returns the time itself.
    #[must_use]
    pub const fn time(self) -> Time {
        self.0
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToSchema for Moment {
    fn to_schema(_components: &mut Components) -> RefOr<Schema> {
        Object::with_type(BasicType::String)
            .format(SchemaFormat::KnownFormat(KnownFormat::DateTime))
            .into()
    }
}

/// Tells the times in these fields of a stored object as every answer does. What is no object, and
/// what is no time, stays as it is.
#[must_use]
pub fn retell(stored: Box<RawValue>, fields: &[&str]) -> Box<RawValue> {
    let Ok(mut object) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(stored.get())
    else {
        return stored;
    };
    for name in fields {
        if let Some(field) = object.get_mut(*name)
            && let Ok(time) = serde_json::from_str::<Time>(field.get())
            && let Ok(told) = to_raw_value(&Moment(time))
        {
            *field = told;
        }
    }
    to_raw_value(&object).unwrap_or(stored)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Moment, RawValue, Time, retell};

    #[test]
    fn there_are_always_three_digits() {
        for (stored, shown) in [
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z"),
            ("2026-03-01T12:00:00.5+02:00", "2026-03-01T10:00:00.500Z"),
            ("2026-03-01T12:00:00.123999999Z", "2026-03-01T12:00:00.123Z"),
        ] {
            let time: Time = stored.parse().unwrap();
            assert_eq!(Moment::from(time).to_string(), shown);
        }
    }

    #[test]
    fn only_times_are_told_anew() {
        for (stored, told) in [
            (
                r#"{"until":"2026-03-01T12:00:00.123456789Z","x": [1, 2.50]}"#,
                r#"{"until":"2026-03-01T12:00:00.123Z","x":[1, 2.50]}"#,
            ),
            (r#"{"until":null}"#, r#"{"until":null}"#),
            (r#"{"until":"soon"}"#, r#"{"until":"soon"}"#),
            (r#""pending""#, r#""pending""#),
        ] {
            let stored = RawValue::from_string(stored.to_owned()).unwrap();
            assert_eq!(retell(stored, &["until"]).get(), told);
        }
    }
}
