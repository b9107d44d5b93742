//! What a measurement came to, and how it is told.

use std::time::Duration;

use serde_json::json;

use crate::cli::print;

/// What came of it.
pub(super) struct Figures {
    runs: u32,
    steps: u32,
    enqueue_per_second: f64,
    drain_per_second: f64,
    p50_ms: f64,
    p95_ms: f64,
}

impl Figures {
    /// `enqueued`: until all runs had come in; `drained`: until they were over; `singles`: what each took.
    pub(super) fn of(
        (runs, steps): (u32, u32),
        enqueued: Duration,
        drained: Duration,
        mut singles: Vec<Duration>,
    ) -> Self {
        singles.sort_unstable();
        let at = |percent: usize| {
            let nth = singles.len().saturating_sub(1) * percent / 100;
            let took = singles.get(nth).copied().unwrap_or_default();
            took.as_secs_f64() * 1_000.0
        };
        let count = f64::from(runs);
        Self {
            runs,
            steps,
            enqueue_per_second: count / enqueued.as_secs_f64(),
            drain_per_second: count / drained.as_secs_f64(),
            p50_ms: at(50),
            p95_ms: at(95),
        }
    }
}

/// Prints them.
pub(super) fn tell(figures: &Figures, as_json: bool) -> anyhow::Result<()> {
    let Figures {
        runs,
        steps,
        enqueue_per_second,
        drain_per_second,
        p50_ms,
        p95_ms,
    } = figures;
    let steps_per_second = drain_per_second * f64::from(*steps);
    if as_json {
        let rounded = |figure: f64| (figure * 100.0).round() / 100.0;
        return print::json(&json!({
            "runs": runs, "steps": steps,
            "enqueue_runs_per_second": rounded(*enqueue_per_second),
            "drain_runs_per_second": rounded(*drain_per_second),
            "drain_steps_per_second": rounded(steps_per_second),
            "single_run_ms": { "p50": rounded(*p50_ms), "p95": rounded(*p95_ms) },
        }));
    }
    print::line(format_args!(
        "{runs} runs of {steps} steps that do nothing, one worker, every result durable"
    ));
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    print::table(
        &["", "figure"],
        &[
            row("enqueue", format!("{enqueue_per_second:.0} runs/s")),
            row(
                "drain",
                format!("{drain_per_second:.0} runs/s, {steps_per_second:.0} steps/s"),
            ),
            row(
                "one run alone",
                format!("p50 {p50_ms:.2} ms, p95 {p95_ms:.2} ms"),
            ),
        ],
    );
    Ok(())
}
