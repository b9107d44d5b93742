//! Figures of one run set beside each other: what means the same on every machine.
//!
//! Each ratio is made within a repetition, because what was measured a minute apart met the same
//! noise.

use super::{Figures, Place, Row};

/// A ratio of two figures, for each repetition.
#[derive(Clone, Debug)]
pub(crate) struct Ratio {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

/// Workload, measure, and what it is set against.
const PAIRS: &[(&str, &str, &str, &str)] = &[
    ("W1", "steps/s", "limit W1", "steps/s"),
    ("Q1 drain", "runs/s", "limit Q1", "runs/s"),
    ("Q1 enqueue", "runs/s", "limit enqueue", "runs/s"),
    ("Q1 enqueue by POST", "runs/s", "limit enqueue", "runs/s"),
    ("W1", "steps/s", "limit W1, sent", "steps/s"),
    ("Q1 drain", "runs/s", "limit Q1, sent", "runs/s"),
    ("Q1 enqueue", "runs/s", "limit enqueue, sent", "runs/s"),
    ("W2", "p50 ms", "limit W2", "p50 ms"),
    ("W2", "p50 ms", "limit W2, told", "p50 ms"),
    ("W1x2", "steps/s", "W1", "steps/s"),
    ("H2 held snapshot", "runs/s", "H2 free", "runs/s"),
    ("H2 held snapshot", LAST, "H2 free", LAST),
    ("H2 held snapshot", "p99 ms", "H2 free", "p99 ms"),
    ("H2 analytics", "runs/s", "H2 free", "runs/s"),
    ("H2 analytics", LAST, "H2 free", LAST),
    ("H2 analytics", "p99 ms", "H2 free", "p99 ms"),
    ("R1 days leave", "runs/s", "R1 free", "runs/s"),
    ("R1 days leave", "p99 ms", "R1 free", "p99 ms"),
];
/// The rate when the load had gone on for longest.
pub(crate) const LAST: &str = "runs/s at the end";

/// Workloads that turn one screw, each value set against the first.
const SERIES: &[(&str, &str)] = &[
    ("S1 W1", "steps/s"),
    ("S1 Q2", "p50 ms"),
    ("S1 Q2", "p99 ms"),
    ("S2", "steps/s"),
];

/// Every ratio whose two figures were measured.
pub(crate) fn ratios(figures: &Figures) -> Vec<Ratio> {
    let mut ratios: Vec<Ratio> = PAIRS
        .iter()
        .filter_map(|(over, measure, under, reference)| {
            let over_values = figures.values(&(*over).into(), measure)?;
            let under_values = figures.values(&(*under).into(), reference)?;
            let name = if ["runs/s", "steps/s"].contains(measure) {
                format!("{over} / {under}")
            } else {
                format!("{over} / {under}, {measure}")
            };
            Some(divide(name, over_values, under_values))
        })
        .collect();
    for (workload, measure) in SERIES {
        let mut rows = figures
            .rows
            .iter()
            .filter(|row| row.place.workload == *workload && row.measure == *measure);
        let Some(first) = rows.next() else { continue };
        ratios.extend(rows.map(|row| beside(row, first)));
    }
    ratios
}

fn beside(row: &Row, first: &Row) -> Ratio {
    let Place { workload, .. } = &row.place;
    let name = format!(
        "{workload} at {} / at {}, {}",
        super::report::at(&row.place),
        super::report::at(&first.place),
        row.measure
    );
    divide(name, &row.values, &first.values)
}

fn divide(name: String, over: &[f64], under: &[f64]) -> Ratio {
    Ratio {
        name,
        values: over.iter().zip(under).map(|(a, b)| a / b).collect(),
    }
}
