//! Which plots are drawn.

use std::fs;

use crate::figures::{Figures, Place};
use crate::plots::{draw, from_files};

#[test]
fn a_plot_is_drawn_for_what_was_measured_and_for_nothing_else() {
    let mut figures = Figures::default();
    for (workers, rate) in [(1.0, 40_000.0), (2.0, 52_000.0), (4.0, 50_000.0)] {
        figures.add(Place::at("S2", workers, "workers"), "steps/s", rate);
        figures.add(Place::at("S2", workers, "workers"), "steps/s", rate * 1.1);
    }
    figures.add(Place::at("S1 W1", 7.0, "waiting runs"), "steps/s", 1.0);
    let out = tempfile::tempdir().unwrap();
    let written = draw(&figures, out.path()).unwrap();
    assert_eq!(written, [out.path().join("throughput-by-workers.svg")]);
    let svg = fs::read_to_string(&written[0]).unwrap();
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(svg.matches("<circle").count(), 3);
}

#[test]
fn a_file_that_is_not_ours_is_named() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("other.json");
    fs::write(&file, "{}").unwrap();
    let error = from_files(&[file], out.path()).unwrap_err();
    assert!(error.contains("other.json: "), "{error}");
}
