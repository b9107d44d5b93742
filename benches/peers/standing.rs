//! How Stepwell stands to the others, from the rows that the harness wrote.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::figures::Spread;
use crate::figures::report::shown;

/// One measure of the harness: of which workload, how it is computed of a row, whether less is
/// better.
struct Measure {
    name: &'static str,
    workload: &'static str,
    of: fn(&Value) -> Option<f64>,
    less_is_better: bool,
}

const fn more(
    name: &'static str,
    workload: &'static str,
    of: fn(&Value) -> Option<f64>,
) -> Measure {
    Measure {
        name,
        workload,
        of,
        less_is_better: false,
    }
}

const fn less(
    name: &'static str,
    workload: &'static str,
    of: fn(&Value) -> Option<f64>,
) -> Measure {
    Measure {
        name,
        workload,
        of,
        less_is_better: true,
    }
}

/// The steps of a run of W1.
const STEPS: f64 = 5.0;

const MEASURES: &[Measure] = &[
    more("Q1 enqueue runs/s", "Q1.enqueue", |row| rate(row, "n")),
    more("Q1 drain runs/s", "Q1.drain", |row| rate(row, "done")),
    less("Q2 p50 ms", "Q2", |row| {
        row["from_commit_ms"]["p50"].as_f64()
    }),
    less("Q2 p99 ms", "Q2", |row| {
        row["from_commit_ms"]["p99"].as_f64()
    }),
    more("W1 steps/s", "W1", |row| Some(rate(row, "done")? * STEPS)),
    more("W1x2 steps/s", "W1x2", |row| {
        Some(rate(row, "done")? * STEPS)
    }),
    less("W2 p50 ms", "W2", |row| row["p50"].as_f64()),
    less("W2 p95 ms", "W2", |row| row["p95"].as_f64()),
    less("W3 ms", "W3", |row| Some(row["secs"].as_f64()? * 1e3)),
    less("W1 WAL bytes/step", "W1", |row| each(row, "wal_bytes", 1.0)),
    less("W1 Postgres CPU µs/step", "W1", |row| {
        each(row, "pg_cpu_s", 1e6)
    }),
    less("W1 worker CPU µs/step", "W1", |row| {
        each(row, "peer_cpu_s", 1e6)
    }),
    less("W1 worker peak MiB", "W1", |row| row["rss_mb"].as_f64()),
];

fn rate(row: &Value, count: &str) -> Option<f64> {
    Some(row[count].as_f64()? / row["secs"].as_f64()?)
}

fn each(row: &Value, total: &str, unit: f64) -> Option<f64> {
    Some(row[total].as_f64()? * unit / (row["done"].as_f64()? * STEPS))
}

/// A measure of one peer, by repetition.
#[derive(Debug)]
struct Standing {
    measure: &'static str,
    less_is_better: bool,
    peer: String,
    values: Vec<f64>,
    /// Ours divided by theirs within the same repetition.
    ratios: Vec<f64>,
}

/// What the harness found, and what went wrong there.
#[derive(Debug)]
pub(crate) struct Standings {
    ourselves: String,
    peers: Vec<String>,
    all: Vec<Standing>,
    errors: Vec<String>,
}

impl Standings {
    pub(crate) fn of(rows: &[Value], ourselves: &str) -> Self {
        let mut peers: Vec<String> = Vec::new();
        let mut errors = Vec::new();
        for row in rows {
            let peer = row["peer"].as_str().unwrap_or_default();
            // The harness's own look at the machine.
            if peer == "reference" {
                continue;
            }
            if !peers.iter().any(|known| known == peer) {
                peers.push(peer.to_owned());
            }
            if let Some(error) = row["error"].as_str() {
                let workload = row["workload"].as_str().unwrap_or_default();
                errors.push(format!("{peer}, {workload}: {error}"));
            }
        }
        let mut all = Vec::new();
        for measure in MEASURES {
            let own = values(rows, measure, ourselves);
            for peer in &peers {
                let theirs = values(rows, measure, peer);
                if theirs.is_empty() {
                    continue;
                }
                let of_same = |(repetition, value): &(i64, f64)| {
                    let (_, own) = own.iter().find(|(known, _)| known == repetition)?;
                    Some(own / value)
                };
                all.push(Standing {
                    measure: measure.name,
                    less_is_better: measure.less_is_better,
                    peer: peer.clone(),
                    ratios: theirs.iter().filter_map(of_same).collect(),
                    values: theirs.into_iter().map(|(_, value)| value).collect(),
                });
            }
        }
        Self {
            ourselves: ourselves.to_owned(),
            peers,
            all,
            errors,
        }
    }

    /// The medians of all, then ours divided by theirs.
    pub(crate) fn tables(&self) -> String {
        let mut tables = "\n| medians |".to_owned();
        let everybody: Vec<_> = self.peers.iter().collect();
        self.table(&mut tables, &everybody, |standing| median(&standing.values));
        tables += "\n| stepwell / peer |";
        let others: Vec<_> = everybody
            .into_iter()
            .filter(|p| **p != self.ourselves)
            .collect();
        self.table(&mut tables, &others, |standing| median(&standing.ratios));
        tables += "\n↓ less is better: below 1, Stepwell is ahead. Else above 1.\n";
        for error in &self.errors {
            let _ = writeln!(tables, "failed: {error}");
        }
        tables
    }

    fn table(
        &self,
        text: &mut String,
        peers: &[&String],
        value: impl Fn(&Standing) -> Option<f64>,
    ) {
        let measures: Vec<_> = MEASURES
            .iter()
            .filter(|measure| self.all.iter().any(|s| s.measure == measure.name))
            .collect();
        for measure in &measures {
            let arrow = if measure.less_is_better { " ↓" } else { "" };
            let _ = write!(text, " {}{arrow} |", measure.name);
        }
        let _ = writeln!(text, "\n|{}", "---|".repeat(measures.len() + 1));
        for peer in peers {
            let _ = write!(text, "| {peer} |");
            for measure in &measures {
                let mut of = self.all.iter();
                let standing = of.find(|s| s.measure == measure.name && s.peer == **peer);
                let cell = standing.and_then(&value).map_or("–".to_owned(), shown);
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
    }

    pub(crate) fn json(&self) -> Value {
        let all: Vec<_> = self
            .all
            .iter()
            .map(|standing| {
                json!({"peer": standing.peer, "measure": standing.measure,
                    "less_is_better": standing.less_is_better,
                    "values": standing.values, "median": median(&standing.values),
                    "ratios": standing.ratios, "ratio": median(&standing.ratios)})
            })
            .collect();
        json!({"standings": all, "errors": self.errors})
    }
}

/// By repetition; what failed is left out.
fn values(rows: &[Value], measure: &Measure, peer: &str) -> Vec<(i64, f64)> {
    rows.iter()
        .filter(|row| row["peer"] == peer && row["workload"] == measure.workload)
        .filter(|row| row["error"].is_null())
        .filter_map(|row| Some((row["rep"].as_i64()?, (measure.of)(row)?)))
        .collect()
}

fn median(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let [_, median, _] = Spread::new(values.to_vec()).summary();
    Some(median)
}
