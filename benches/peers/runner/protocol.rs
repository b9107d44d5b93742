//! The lines that a runner prints: `@@ {json}`.

use std::io::Write;

use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::meter::Spent;

/// Seconds of the clock that all processes of a machine share.
pub(super) fn mono() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}

pub(super) fn emit(value: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@@ {value}").unwrap();
    out.flush().unwrap();
}

/// A result with what this process used, and another one that belongs to it.
pub(super) fn result(mut value: Value, other: Option<Spent>) -> Value {
    let own = Spent::of(std::process::id());
    value["ev"] = "result".into();
    value["rss_mb"] = own.peak_mib.into();
    value["cpu_s"] = (own.seconds + other.unwrap_or_default().seconds).into();
    value
}

/// As the harness's other runners tell them.
pub(super) fn percentiles(values: &mut [f64]) -> Value {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    let of = |share: f64| values[((values.len() as f64 * share) as usize).min(last)];
    json!({"samples": values.len(), "p50": of(0.5), "p95": of(0.95), "p99": of(0.99),
        "min": of(0.0), "max": of(1.0)})
}
