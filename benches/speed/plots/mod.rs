//! Draws what was measured: one SVG for each thing that should stay flat, or should not.

pub(crate) mod axis;
mod chart;

use std::fs;
use std::path::{Path, PathBuf};

use crate::figures::{Figures, Spread, report};
use chart::{Chart, Line};

/// A plot: where its lines come from.
struct Plot {
    file: &'static str,
    title: &'static str,
    x: &'static str,
    y: &'static str,
    /// Workload, measure, what the line is called.
    lines: &'static [(&'static str, &'static str, &'static str)],
    /// The scale that the places are on; others are left out.
    by: &'static str,
}

const PLOTS: &[Plot] = &[
    Plot {
        file: "throughput-by-history.svg",
        title: "Throughput as history grows",
        x: "finished runs in history",
        y: "steps/s",
        lines: &[("S1 W1", "steps/s", "W1, one worker")],
        by: "finished runs",
    },
    Plot {
        file: "latency-by-history.svg",
        title: "Start latency as history grows",
        x: "finished runs in history",
        y: "ms",
        lines: &[("S1 Q2", "p50 ms", "p50"), ("S1 Q2", "p99 ms", "p99")],
        by: "finished runs",
    },
    Plot {
        file: "throughput-by-workers.svg",
        title: "Throughput by workers",
        x: "workers",
        y: "steps/s",
        lines: &[("S2", "steps/s", "W1")],
        by: "workers",
    },
    Plot {
        file: "latency-by-load.svg",
        title: "Start latency by load",
        x: "% of the most that comes through",
        y: "ms",
        lines: &[
            ("L1", "p50 ms", "p50"),
            ("L1", "p95 ms", "p95"),
            ("L1", "p99 ms", "p99"),
        ],
        by: "% of the most",
    },
    Plot {
        file: "rate-under-held-snapshot.svg",
        title: "Rate at 60 % load",
        x: "seconds",
        y: "runs/s",
        lines: &[
            ("H2 free", "runs/s", "free"),
            ("H2 held snapshot", "runs/s", "held snapshot"),
            ("H2 analytics", "runs/s", "analytics all the time"),
        ],
        by: "s",
    },
    Plot {
        file: "latency-under-held-snapshot.svg",
        title: "Start latency at 60 % load, p99",
        x: "seconds",
        y: "ms",
        lines: &[
            ("H2 free", "p99 ms", "free"),
            ("H2 held snapshot", "p99 ms", "held snapshot"),
            ("H2 analytics", "p99 ms", "analytics all the time"),
        ],
        by: "s",
    },
];

/// Draws what these files hold together; gives the files that it wrote.
pub(crate) fn from_files(files: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, String> {
    let mut figures = Figures::default();
    for file in files {
        let named = |error: String| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| named(error.to_string()))?;
        let document = serde_json::from_str(&text).map_err(|error| named(error.to_string()))?;
        report::read(&mut figures, &document).map_err(named)?;
    }
    draw(&figures, out).map_err(|error| format!("{}: {error}", out.display()))
}

/// Draws every plot that there are figures for.
pub(crate) fn draw(figures: &Figures, out: &Path) -> std::io::Result<Vec<PathBuf>> {
    fs::create_dir_all(out)?;
    let mut written = Vec::new();
    for plot in PLOTS {
        let Some(chart) = chart(plot, figures) else {
            continue;
        };
        let path = out.join(plot.file);
        fs::write(&path, chart.svg())?;
        written.push(path);
    }
    Ok(written)
}

fn chart(plot: &Plot, figures: &Figures) -> Option<Chart> {
    let lines: Vec<_> = plot
        .lines
        .iter()
        .map(|(workload, measure, name)| line(plot, figures, workload, measure, name))
        .filter(|line| !line.points.is_empty())
        .collect();
    (!lines.is_empty()).then_some(Chart {
        title: plot.title,
        x: plot.x,
        y: plot.y,
        lines,
    })
}

/// The median of each place, with the least and the most.
fn line(plot: &Plot, figures: &Figures, workload: &str, measure: &str, name: &'static str) -> Line {
    let mut points: Vec<_> = figures
        .rows
        .iter()
        .filter(|row| row.place.workload == workload && row.measure == measure)
        .filter_map(|row| {
            let at = row.place.at.as_ref().filter(|at| at.by == plot.by)?;
            Some((at.value, Spread::new(row.values.clone()).summary()))
        })
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Line { name, points }
}
