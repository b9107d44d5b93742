//! What the worker of this process tells Prometheus.

use stepwell::worker::Runtime;
use stepwell::worker::metrics::Reading;
use stepwell_web::metrics::{Metrics, Sample};

/// Adds the worker's measurements to those of the process.
pub(super) fn worker(metrics: &Metrics, runtime: &Runtime) {
    let counters = runtime.metrics();
    metrics.add(move || samples(&counters.read()));
}

fn samples(reading: &Reading) -> Vec<Sample> {
    vec![
        Sample::gauge(
            "runs_active",
            "Runs that this worker holds.",
            reading.runs_active,
        ),
        Sample::counter(
            "runs_taken",
            "Runs taken from a queue, once per claim.",
            reading.runs_taken,
        ),
        Sample::counters(
            "runs_finished",
            "Runs that ended on this worker.",
            "status",
            reading.runs_finished,
        ),
        Sample::counters(
            "steps_finished",
            "Steps and items of maps that ended on this worker.",
            "status",
            reading.steps_finished,
        ),
        Sample::counter(
            "attempts_started",
            "Attempts of steps that this worker began.",
            reading.attempts_started,
        ),
        Sample::counters(
            "attempts_ended",
            "Attempts of steps that ended on this worker.",
            "outcome",
            reading.attempts_ended,
        ),
    ]
}
