//! How often and when an attempt is made again. Used by steps and as an agent's default.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Failure;
use crate::limits::{ATTEMPTS_MAX, BACKOFF_MAX, RETRY_INTERVAL_MAX};
use crate::told::Told;
use crate::validate::Finding;

/// `retry_config` of an agent and `retry` of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// Attempts in all, 1–100. Default 3.
    pub max_attempts: u32,
    /// Milliseconds before the second attempt. Default 1,000.
    pub initial_interval_ms: u64,
    /// What each interval is multiplied by for the next. Default 2.
    pub backoff_coefficient: f64,
    /// The longest interval, milliseconds. Default 60,000.
    pub max_interval_ms: u64,
    /// The share of the interval, 0–1, that is drawn at random. Default 0.1.
    pub jitter: f64,
    /// What is retried: status codes, classes (`"5xx"`), `"timeout"`, `"connect"`. Default: whatever
    /// the step type calls retryable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<Vec<RetryOn>>,
}

/// One entry of `retry_on`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryOn {
    Status(u16),
    Word(String),
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_interval_ms: 1_000,
            backoff_coefficient: 2.0,
            max_interval_ms: 60_000,
            jitter: 0.1,
            retry_on: None,
        }
    }
}

impl RetryPolicy {
    /// One attempt and no more.
    #[must_use]
    pub fn once() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// Returns how long to wait before attempt `attempt + 1`. `seed` makes the jitter repeatable:
    /// give each step of each run its own, so that they do not all come back at once.
    #[must_use]
    pub fn interval(&self, attempt: u32, seed: u64) -> Duration {
        let longest = self.max_interval_ms as f64;
        let grown = self.backoff_coefficient.powf(f64::from(attempt.max(1) - 1));
        let millis = match self.initial_interval_ms {
            0 => 0.0,
            initial => (initial as f64 * grown).min(longest),
        };
        let kept = 1.0 - self.jitter * share(seed, attempt);
        Duration::try_from_secs_f64(millis * kept / 1_000.0)
            .unwrap_or(RETRY_INTERVAL_MAX)
            .min(RETRY_INTERVAL_MAX)
    }

    /// Says whether a failure of this kind is tried again. Without `retry_on` the failure says so
    /// itself; with it, only what it lists is.
    #[must_use]
    pub fn covers(&self, failure: &Failure, status: Option<u16>) -> bool {
        let Some(listed) = &self.retry_on else {
            return failure.retryable;
        };
        listed.iter().any(|entry| match entry {
            RetryOn::Status(code) => status == Some(*code),
            RetryOn::Word(word) => match class(word) {
                Some(class) => status.is_some_and(|status| class.contains(&status)),
                None => failure.kind == *word,
            },
        })
    }

    /// Returns what is out of bounds, with pointers below `pointer`.
    #[must_use]
    pub fn findings(&self, pointer: &str) -> Told<Finding> {
        let longest = RETRY_INTERVAL_MAX.as_millis();
        let mut findings = Told::new();
        let mut check = |holds: bool, field: &str, detail: String| {
            if !holds {
                findings.push(Finding::rule(format!("{pointer}/{field}"), detail));
            }
        };
        check(
            (1..=ATTEMPTS_MAX).contains(&self.max_attempts),
            "max_attempts",
            format!("this must lie between 1 and {ATTEMPTS_MAX}"),
        );
        for (field, millis) in [
            ("initial_interval_ms", self.initial_interval_ms),
            ("max_interval_ms", self.max_interval_ms),
        ] {
            check(
                u128::from(millis) <= longest,
                field,
                format!("this must lie between 0 and {longest} milliseconds (a day)"),
            );
        }
        check(
            (1.0..=BACKOFF_MAX).contains(&self.backoff_coefficient),
            "backoff_coefficient",
            format!("this must lie between 1 and {BACKOFF_MAX}"),
        );
        check(
            (0.0..=1.0).contains(&self.jitter),
            "jitter",
            "this must lie between 0 and 1".to_owned(),
        );
        for (index, entry) in self.retry_on.iter().flatten().enumerate() {
            let known = match entry {
                RetryOn::Status(code) => STATUSES.contains(code),
                RetryOn::Word(word) => WORDS.contains(&word.as_str()) || class(word).is_some(),
            };
            check(
                known,
                &format!("retry_on/{index}"),
                "this must be a status from 100 to 599, a class such as \"5xx\", \"timeout\" or \
                 \"connect\""
                    .to_owned(),
            );
        }
        findings
    }

    /// Reads a policy, and says what is wrong with it.
    pub(crate) fn read(written: &Value, pointer: &str) -> (Option<Self>, Told<Finding>) {
        let Some(fields) = written.as_object() else {
            return (None, Told::new());
        };
        let alone = |field: &String, value: &Value| {
            let fields = [(field.clone(), value.clone())].into_iter().collect();
            serde_json::from_value::<Self>(Value::Object(fields)).is_ok()
        };
        let mut findings = Told::new();
        let mut readable = serde_json::Map::new();
        for (field, value) in fields {
            if alone(field, value) {
                readable.insert(field.clone(), value.clone());
            } else if value.as_f64().is_some_and(|n| n.fract() == 0.0)
                && alone(field, &Value::from(1))
            {
                // Other shapes, fractions among them, are checked elsewhere.
                let detail = "this number is negative, too large or not written as a whole one";
                findings.push(Finding::rule(format!("{pointer}/{field}"), detail));
            }
        }
        let whole = readable.len() == fields.len();
        let policy = serde_json::from_value::<Self>(Value::Object(readable)).unwrap_or_default();
        findings.append(policy.findings(pointer));
        ((whole && findings.is_empty()).then_some(policy), findings)
    }
}

/// What HTTP knows as a status.
const STATUSES: RangeInclusive<u16> = 100..=599;

/// The words of `retry_on` that are no class of statuses.
const WORDS: [&str; 2] = ["timeout", "connect"];

/// Reads a status, or a class of statuses such as `"5xx"`.
pub(crate) fn statuses(entry: &Value) -> Option<RangeInclusive<u16>> {
    match entry {
        Value::Number(code) => code
            .as_u64()
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| STATUSES.contains(code))
            .map(|code| code..=code),
        Value::String(word) => class(word),
        _ => None,
    }
}

fn class(word: &str) -> Option<RangeInclusive<u16>> {
    let first = match word {
        "1xx" => 100,
        "2xx" => 200,
        "3xx" => 300,
        "4xx" => 400,
        "5xx" => 500,
        _ => return None,
    };
    Some(first..=first + 99)
}

/// Draws a number from 0 up to 1, always the same for the same seed and attempt (SplitMix64).
fn share(seed: u64, attempt: u32) -> f64 {
    let mut z = seed.wrapping_add(u64::from(attempt).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    // The upper 53 bits are what a double holds exactly.
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    use super::{RetryOn, RetryPolicy};
    use crate::Failure;

    #[test]
    fn intervals_grow_up_to_a_cap() {
        let policy = RetryPolicy {
            jitter: 0.0,
            max_interval_ms: 5_000,
            ..RetryPolicy::default()
        };
        let millis: Vec<u128> = (1..6).map(|n| policy.interval(n, 7).as_millis()).collect();
        assert_eq!(millis, [1_000, 2_000, 4_000, 5_000, 5_000]);
        let at_once = RetryPolicy {
            initial_interval_ms: 0,
            ..policy
        };
        assert_eq!(at_once.interval(100, 7).as_millis(), 0);
    }

    #[test]
    fn jitter_differs_by_seed_and_repeats() {
        let policy = RetryPolicy {
            jitter: 0.5,
            ..RetryPolicy::default()
        };
        assert_eq!(policy.interval(1, 1), policy.interval(1, 1));
        assert_ne!(policy.interval(1, 1), policy.interval(1, 2));
    }

    proptest! {
        #[test]
        fn an_interval_stays_in_its_bounds(
            attempt in any::<u32>(), seed in any::<u64>(), initial in any::<u64>(),
            coefficient in any::<f64>(), max in 0_u64..86_400_000, jitter in 0.0..=1.0,
        ) {
            let policy = RetryPolicy {
                initial_interval_ms: initial, backoff_coefficient: coefficient,
                max_interval_ms: max, jitter, ..RetryPolicy::default()
            };
            let interval = policy.interval(attempt, seed);
            assert!(interval <= super::RETRY_INTERVAL_MAX);
            if coefficient >= 1.0 {
                assert!(interval.as_millis() <= u128::from(max));
            }
        }
    }

    #[test]
    fn retry_on_says_what_is_tried_again() {
        let check = |on: Option<Vec<RetryOn>>, kind: &str, retryable, status, expected| {
            let policy = RetryPolicy {
                retry_on: on.clone(),
                ..RetryPolicy::default()
            };
            let mut failure = Failure::fatal(kind, "");
            failure.retryable = retryable;
            assert_eq!(policy.covers(&failure, status), expected, "{on:?} {kind}");
        };
        let word = |word: &str| Some(vec![RetryOn::Status(404), RetryOn::Word(word.to_owned())]);
        check(None, "http_status", true, Some(503), true);
        check(None, "http_status", false, Some(404), false);
        check(word("5xx"), "http_status", false, Some(404), true);
        check(word("5xx"), "http_status", true, Some(503), true);
        check(word("5xx"), "http_status", true, Some(429), false);
        check(word("5xx"), "timeout", true, None, false);
        check(word("timeout"), "timeout", true, None, true);
        check(word("connect"), "connect", true, None, true);
    }

    #[test]
    fn bounds_are_checked() {
        let check = |policy, expected: &[&str]| {
            let (_, findings) = RetryPolicy::read(&policy, "/retry");
            let pointers: Vec<&str> = findings.iter().map(|f| f.pointer.as_str()).collect();
            assert_eq!(pointers, expected, "{policy}");
        };
        check(json!({}), &[]);
        check(
            json!({"max_attempts": 100, "jitter": 1, "retry_on": [429, "5xx", "connect"]}),
            &[],
        );
        check(
            json!({"max_attempts": 0, "initial_interval_ms": 86_400_001, "max_interval_ms": 1e3,
                   "jitter": 0}),
            &[
                "/retry/max_interval_ms",
                "/retry/max_attempts",
                "/retry/initial_interval_ms",
            ],
        );
        check(
            json!({"max_attempts": 0, "initial_interval_ms": 86_400_001, "backoff_coefficient": 0.5,
                   "jitter": 1.5, "retry_on": [99, "6xx", "x"]}),
            &[
                "/retry/max_attempts",
                "/retry/initial_interval_ms",
                "/retry/backoff_coefficient",
                "/retry/jitter",
                "/retry/retry_on/0",
                "/retry/retry_on/1",
                "/retry/retry_on/2",
            ],
        );
        check(json!({"max_attempts": -1}), &["/retry/max_attempts"]);
    }
}
