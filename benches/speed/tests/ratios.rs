//! Figures set beside each other.

use crate::figures::ratios::ratios;
use crate::figures::{Figures, Place};

#[test]
fn a_ratio_is_made_within_its_repetition() {
    let mut figures = Figures::default();
    for (product, limit) in [(10.0, 20.0), (30.0, 40.0)] {
        figures.add("W1", "steps/s", product);
        figures.add("limit W1", "steps/s", limit);
    }
    let ratios = ratios(&figures);
    assert_eq!(ratios.len(), 1, "what was not measured has no ratio");
    assert_eq!(ratios[0].name, "W1 / limit W1");
    assert_eq!(ratios[0].values, [0.5, 0.75]);
}

#[test]
fn a_series_is_set_against_its_beginning() {
    let mut figures = Figures::default();
    for (workers, rate) in [(1.0, 100.0), (2.0, 150.0), (4.0, 50.0)] {
        figures.add(Place::at("S2", workers, "workers"), "steps/s", rate);
    }
    let ratios = ratios(&figures);
    assert_eq!(ratios[0].name, "S2 at 2 workers / at 1 workers, steps/s");
    assert_eq!(ratios[0].values, [1.5]);
    assert_eq!(ratios[1].values, [0.5]);
}

#[test]
fn a_tail_says_that_it_is_one() {
    let mut figures = Figures::default();
    for name in ["H2 free", "H2 held snapshot"] {
        figures.add(name, "runs/s", 1.0);
        figures.add(name, "p99 ms", 2.0);
    }
    let names: Vec<_> = ratios(&figures).into_iter().map(|r| r.name).collect();
    assert_eq!(
        names,
        [
            "H2 held snapshot / H2 free",
            "H2 held snapshot / H2 free, p99 ms"
        ]
    );
}
