//! What the caller wants measured.

use std::path::PathBuf;

const WORKLOADS: &[&str] = &["Q1", "Q2", "W1", "W2", "W3"];
/// What `--limit` adds to each repetition.
pub(crate) const LIMIT: &str = "limit";
const USAGE: &str =
    "usage: bench [--workloads Q1,Q2,W1,W2,W3] [--reps 3] [--scale 1.0] [--json FILE] [--limit]";

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) workloads: Vec<String>,
    pub(crate) repetitions: usize,
    /// The share of the full size of each workload.
    pub(crate) scale: f64,
    pub(crate) json: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Self {
        let mut arguments = Self {
            workloads: WORKLOADS.iter().map(ToString::to_string).collect(),
            repetitions: 3,
            scale: 1.0,
            json: None,
        };
        let mut limit = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| refuse(&word));
            match word.as_str() {
                // What `cargo bench` adds.
                "--bench" => {}
                "--workloads" => {
                    arguments.workloads = value().split(',').map(ToOwned::to_owned).collect();
                }
                "--reps" => {
                    arguments.repetitions = value().parse().unwrap_or_else(|_| refuse(&word));
                }
                "--scale" => arguments.scale = value().parse().unwrap_or_else(|_| refuse(&word)),
                "--limit" => limit = true,
                "--json" => arguments.json = Some(value().into()),
                _ => refuse(&word),
            }
        }
        if let Some(unknown) = arguments
            .workloads
            .iter()
            .find(|w| !WORKLOADS.contains(&w.as_str()))
        {
            refuse::<()>(unknown);
        }
        if limit {
            arguments.workloads.push(LIMIT.to_owned());
        }
        arguments
    }
}

fn refuse<T>(word: &str) -> T {
    eprintln!("{word:?} is not understood\n{USAGE}");
    std::process::exit(2)
}
