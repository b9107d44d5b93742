//! What a caller may write.

use std::time::Duration;

use crate::arguments::{Arguments, Extent, TIME_MIN, Task, Workload, parse};

fn read(line: &str) -> Result<Task, String> {
    parse(line.split_whitespace().map(ToOwned::to_owned))
}

fn measured(line: &str) -> Arguments {
    match read(line) {
        Ok(Task::Measure(arguments)) => arguments,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_long_ones_come_by_name_or_when_all_is_asked_for() {
    assert_eq!(measured("--bench").workloads, Workload::SHORT);
    assert_eq!(measured("--full").workloads.len(), 13);
    let named = measured("--workloads W1x2,H2 --full");
    assert_eq!(named.workloads, [Workload::W1x2, Workload::H2]);
    assert!(named.extent.full);
    assert!(!measured("--workloads H2").extent.full);
}

#[test]
fn every_mistake_is_named() {
    for (line, part) in [
        ("--workloads W9", "W9"),
        ("--workloads", "needs a value"),
        ("--reps many", "many"),
        ("--reps 0", "1 or more"),
        ("--scale 0", "above 0"),
        ("--scale NaN", "above 0"),
        ("--against pg-boss", "--peers DIR"),
        ("--fast", "--fast"),
        ("plots", "--json"),
        ("plots a.json", "--out"),
    ] {
        let error = read(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[test]
fn plots_are_drawn_from_files() {
    let task = read("plots a.json b.json --out docs --bench").unwrap();
    assert!(matches!(task, Task::Plots { files, .. } if files.len() == 2));
}

#[test]
fn a_share_of_the_size_and_the_time_is_never_nothing() {
    let extent = |scale, full| Extent {
        scale,
        full,
        repetitions: 1,
    };
    assert_eq!(extent(0.02, false).count(2_000.0), 40);
    assert_eq!(extent(0.0001, false).count(50.0), 1);
    let (short, whole) = (Duration::from_secs(20), Duration::from_secs(900));
    assert_eq!(extent(1.0, true).time(short, whole), whole);
    assert_eq!(extent(0.001, true).time(short, whole), TIME_MIN);
}
