//! Lengths and points of time as people write them.

use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

use super::Delay;
use crate::Time;
use crate::expression::Scope;
use crate::instant;
use crate::limits::DURATION_MAX;

impl Delay {
    /// Returns when a delay that begins at `from` is over. A time in the past is over at once.
    ///
    /// # Errors
    /// A sentence, when an expression fails or gives no duration or time.
    pub fn due(&self, scope: Scope<'_>, from: Time) -> Result<Time, String> {
        let due = match self {
            Self::For(duration) => from + *duration,
            Self::Until(time) => *time,
            Self::Computed {
                value,
                until: false,
            } => from + duration_of(&value.render(scope)?)?,
            Self::Computed { value, until: true } => {
                let time = time_of(&value.render(scope)?)?;
                if time > from + DURATION_MAX {
                    return Err(too_long());
                }
                time
            }
        };
        Ok(instant::whole(due))
    }
}

/// Reads seconds (`90`, `0.5`, `"90s"`) or an ISO 8601 duration (`"PT2M"`, `"P1DT12H"`).
pub(super) fn duration_of(value: &Value) -> Result<Duration, String> {
    let duration = match value {
        Value::Number(seconds) => {
            seconds_of(seconds.as_f64().unwrap_or(f64::NAN)).ok_or_else(too_long)?
        }
        Value::String(text) => parse_duration(text)?,
        other => {
            return Err(format!(
                "a duration is a number of seconds or a text such as \"PT2M\", not {}",
                crate::expression::kind(other)
            ));
        }
    };
    if duration > DURATION_MAX {
        return Err(too_long());
    }
    Ok(duration)
}

/// Reads an RFC 3339 time.
pub(super) fn time_of(value: &Value) -> Result<Time, String> {
    value
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map(|time| time.to_utc())
        .ok_or_else(|| "a time is written as in RFC 3339: \"2026-03-01T10:00:00Z\"".to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    // What a CEL duration becomes as JSON.
    if let Some(seconds) = text.strip_suffix('s')
        && seconds.starts_with(|c: char| c.is_ascii_digit())
        && let Ok(seconds) = seconds.parse()
    {
        return seconds_of(seconds).ok_or_else(too_long);
    }
    let wrong = || {
        format!(
            "\"{}\" is no duration; write seconds, or ISO 8601 such as \"PT30S\", \"PT2M\" or \
             \"P1DT12H\"",
            text.chars().take(40).collect::<String>()
        )
    };
    let date = text
        .strip_prefix('P')
        .ok_or_else(wrong)?
        .split('T')
        .next()
        .unwrap_or_default();
    if date.contains(['Y', 'M']) {
        return Err("years and months differ in length; write days: \"P30D\"".to_owned());
    }
    let parsed = speedate::Duration::parse_str(text).map_err(|_| wrong())?;
    Ok(
        Duration::from_secs(u64::from(parsed.day) * 24 * 60 * 60 + u64::from(parsed.second))
            + Duration::from_micros(u64::from(parsed.microsecond)),
    )
}

fn seconds_of(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn too_long() -> String {
    format!(
        "a duration lies between 0 and {} days",
        DURATION_MAX.as_secs() / (24 * 60 * 60)
    )
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::needless_pass_by_value,
        reason = "a failed unwrap is a failed test, and tables of cases read better by value"
    )]

    use serde_json::{Value, json};

    use super::{duration_of, time_of};

    /// `None` stands for an error.
    fn check(value: Value, millis: Option<u128>) {
        let duration = duration_of(&value).ok().map(|d| d.as_millis());
        assert_eq!(duration, millis, "{value}");
    }

    #[test]
    fn durations_are_seconds_or_iso_8601() {
        check(json!(0), Some(0));
        check(json!(90), Some(90_000));
        check(json!(0.25), Some(250));
        check(json!("90s"), Some(90_000));
        check(json!("1.5s"), Some(1_500));
        check(json!("PT2M"), Some(120_000));
        check(json!("PT0.5S"), Some(500));
        check(json!("PT1H30M"), Some(5_400_000));
        check(json!("P1D"), Some(86_400_000));
        check(json!("P2W"), Some(14 * 86_400_000));
        check(json!("P1DT12H"), Some(36 * 3_600_000));
        check(json!("P366D"), Some(366 * 86_400_000));
        for wrong in [
            json!(-1),
            json!(1e300),
            json!("P367D"),
            json!("P99999999999D"),
            json!("P1Y"),
            json!("P1M"),
            json!("-PT2M"),
            json!("2 minutes"),
            json!("1 day"),
            json!("P"),
            json!("PT"),
            json!(""),
            json!("infs"),
            json!("-5s"),
            json!(null),
            json!([1]),
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let time = time_of(&json!("2026-03-01T12:00:00+02:00")).unwrap();
        assert_eq!(time.to_rfc3339(), "2026-03-01T10:00:00+00:00");
        for wrong in [json!("2026-03-01"), json!(5), json!("tomorrow")] {
            assert!(time_of(&wrong).is_err(), "{wrong}");
        }
    }
}
