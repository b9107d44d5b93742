//! What was measured, over the repetitions: a table for people, JSON for programs.

use std::fmt::Write;

use serde_json::json;

use crate::meter::Cost;

/// Values by workload and measure, in the order of the first repetition.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    workload: String,
    measure: String,
    values: Vec<f64>,
}

impl Figures {
    pub(crate) fn add(&mut self, workload: &str, measure: &str, value: f64) {
        let known = self
            .rows
            .iter_mut()
            .find(|r| r.workload == workload && r.measure == measure);
        if let Some(row) = known {
            row.values.push(value);
        } else {
            self.rows.push(Row {
                workload: workload.to_owned(),
                measure: measure.to_owned(),
                values: vec![value],
            });
        }
    }

    /// What a stretch of work cost, for each run or step.
    pub(crate) fn cost(&mut self, workload: &str, unit: &str, count: usize, cost: Cost) {
        let count = count as f64;
        self.add(
            workload,
            &format!("WAL bytes/{unit}"),
            cost.wal_bytes / count,
        );
        self.add(
            workload,
            &format!("transactions/{unit}"),
            cost.transactions / count,
        );
        self.add(
            workload,
            &format!("Postgres CPU µs/{unit}"),
            cost.postgres_seconds * 1e6 / count,
        );
    }

    /// The middle and the tail of a number of times in milliseconds.
    pub(crate) fn percentiles(&mut self, workload: &str, mut values: Vec<f64>) {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        for (name, hundredths) in [("p50 ms", 50), ("p95 ms", 95), ("p99 ms", 99)] {
            self.add(workload, name, values[last * hundredths / 100]);
        }
        self.add(workload, "max ms", values[last]);
    }

    pub(crate) fn table(&self) -> String {
        let mut table =
            "| workload | measure | min | median | max |\n|---|---|---|---|---|\n".to_owned();
        for row in &self.rows {
            let [min, median, max] = row.summary().map(shown);
            let (workload, measure) = (&row.workload, &row.measure);
            let _ = writeln!(
                table,
                "| {workload} | {measure} | {min} | {median} | {max} |"
            );
        }
        table
    }

    pub(crate) fn json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let [min, median, max] = row.summary();
                json!({"workload": row.workload, "measure": row.measure, "values": row.values,
                       "min": min, "median": median, "max": max})
            })
            .collect();
        let commit = std::env::var("GIT_COMMIT").ok();
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let all = json!({"at": chrono::Utc::now(), "version": env!("CARGO_PKG_VERSION"),
                         "commit": commit, "cores": cores, "figures": rows});
        format!("{all:#}\n")
    }
}

impl Row {
    fn summary(&self) -> [f64; 3] {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        [
            sorted[0],
            sorted[sorted.len() / 2],
            sorted[sorted.len() - 1],
        ]
    }
}

/// Three digits that matter, thousands apart.
fn shown(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.3}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
