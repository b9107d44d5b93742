//! From runs per second to cores: what runs of five steps cost each process, with room to spare.
//!
//! A run that comes alone shares its statements with nobody and costs many times what it costs
//! under full load. So low rates are told by W2, and high ones by H1 for the start and W1 for the
//! steps.

use std::fmt::Write;

use super::report::{grouped, shown};
use super::{Figures, Place, Spread};

/// Runs per second that come alone, each over before the next.
const RATES_ALONE: &[u32] = &[10, 50];
/// Runs per second that share statements.
const RATES_SHARED: &[u32] = &[1_000, 2_000, 5_000, 10_000];
/// The share of a core that is planned for: what is left is for bursts, vacuum and checkpoints.
const PLANNED: f64 = 0.6;
/// Steps of a run of W1 and W2.
const STEPS: f64 = 5.0;

/// What one run of five steps costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Price {
    pub(crate) postgres_us: f64,
    pub(crate) worker_us: f64,
    pub(crate) api_us: f64,
    pub(crate) wal_bytes: f64,
}

/// Of a run that comes alone, if that was measured.
pub(crate) fn alone(figures: &Figures) -> Option<Price> {
    Some(Price {
        postgres_us: middle(figures, "W2", "Postgres CPU µs/run")?,
        worker_us: middle(figures, "W2", "worker CPU µs/run")?,
        api_us: middle(figures, "W2", "API CPU µs/run")?,
        wal_bytes: middle(figures, "W2", "WAL bytes/run")?,
    })
}

/// Of a run among many, if that was measured.
pub(crate) fn shared(figures: &Figures) -> Option<Price> {
    let both = |start: &str, step: &str| {
        Some(middle(figures, "H1", start)? + STEPS * middle(figures, "W1", step)?)
    };
    Some(Price {
        postgres_us: both("Postgres CPU µs/run", "Postgres CPU µs/step")?,
        worker_us: STEPS * middle(figures, "W1", "worker CPU µs/step")?,
        api_us: middle(figures, "H1", "API CPU µs/run")?,
        wal_bytes: both("WAL bytes/run", "WAL bytes/step")?,
    })
}

fn middle(figures: &Figures, workload: &str, measure: &str) -> Option<f64> {
    let values = figures.values(&Place::from(workload), measure)?;
    let [_, median, _] = Spread::new(values.to_vec()).summary();
    Some(median)
}

/// Cores for this many microseconds a run.
pub(crate) fn cores(runs_per_second: u32, microseconds: f64) -> f64 {
    f64::from(runs_per_second) * microseconds / 1e6 / PLANNED
}

/// The table, if there is a price.
pub(super) fn table(figures: &Figures) -> String {
    let prices = [
        (RATES_ALONE, alone(figures)),
        (RATES_SHARED, shared(figures)),
    ];
    let mut lines = String::new();
    for (rates, price) in prices {
        let Some(price) = price else { continue };
        for rate in rates {
            let wal = f64::from(*rate) * price.wal_bytes / f64::from(1 << 20);
            let _ = writeln!(
                lines,
                "| {} | {} | {} | {} | {} |",
                grouped(f64::from(*rate)),
                shown(cores(*rate, price.postgres_us)),
                shown(cores(*rate, price.worker_us)),
                shown(cores(*rate, price.api_us)),
                shown(wal),
            );
        }
    }
    if lines.is_empty() {
        return lines;
    }
    format!(
        "\n| runs/s of five steps | Postgres cores | worker cores | API cores | WAL MiB/s |\n\
         |---|---|---|---|---|\n{lines}"
    )
}
