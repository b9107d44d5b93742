//! The rules for how attempts are made again.

use crate::agents::wire::{RetryConfig, RetryOnEntry};
use crate::problem::{Fault, Faults};

/// The longest interval between attempts: thirty days.
const INTERVAL_MS_MAX: u64 = 2_592_000_000;
/// Attempts in all: beyond it a person should look.
const ATTEMPTS_MAX: u32 = 100;
/// Growth of the interval: beyond it the second interval is the longest already.
const BACKOFF_MAX: f64 = 100.0;
/// Entries of `retry_on`: more than there are status codes in use.
const RETRY_ON_MAX: usize = 50;

/// Notes each broken rule.
pub(super) fn check(retry: &RetryConfig, faults: &mut Faults) {
    let mut fault = |field: &str, detail: String| {
        faults.push(Fault::at(format!("/retry_config/{field}"), detail));
    };
    if !(1..=ATTEMPTS_MAX).contains(&retry.max_attempts) {
        fault("max_attempts", format!("must be from 1 to {ATTEMPTS_MAX}"));
    }
    if retry.initial_interval_ms > INTERVAL_MS_MAX {
        fault(
            "initial_interval_ms",
            format!("must be from 0 to {INTERVAL_MS_MAX}"),
        );
    }
    if retry.max_interval_ms > INTERVAL_MS_MAX {
        fault(
            "max_interval_ms",
            format!("must be from 0 to {INTERVAL_MS_MAX}"),
        );
    }
    if !(1.0..=BACKOFF_MAX).contains(&retry.backoff_coefficient) {
        fault(
            "backoff_coefficient",
            format!("must be from 1 to {BACKOFF_MAX}"),
        );
    }
    if !(0.0..=1.0).contains(&retry.jitter) {
        fault("jitter", "must be from 0 to 1".into());
    }
    let entries = retry.retry_on.as_deref().unwrap_or_default();
    if entries.len() > RETRY_ON_MAX {
        fault("retry_on", format!("may have up to {RETRY_ON_MAX} entries"));
    }
    for (index, entry) in entries.iter().enumerate() {
        let known = match entry {
            RetryOnEntry::Status(status) => (100..=599).contains(status),
            RetryOnEntry::Word(word) => {
                matches!(word.as_str(), "4xx" | "5xx" | "timeout" | "connect")
            }
        };
        if !known {
            fault(
                &format!("retry_on/{index}"),
                "must be a status code from 100 to 599, \"4xx\", \"5xx\", \"timeout\" or \"connect\"".into(),
            );
        }
    }
}
