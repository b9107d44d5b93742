//! From runs per second to cores.

use crate::figures::Figures;
use crate::figures::report::tables;
use crate::figures::sizing::{Price, alone, cores, shared};

#[test]
fn a_run_among_many_is_a_start_and_five_steps() {
    let mut figures = Figures::default();
    figures.add("W1", "Postgres CPU µs/step", 20.0);
    figures.add("W1", "worker CPU µs/step", 10.0);
    figures.add("W1", "WAL bytes/step", 700.0);
    assert_eq!(shared(&figures), None, "the start has no price yet");
    figures.add("H1", "Postgres CPU µs/run", 50.0);
    figures.add("H1", "API CPU µs/run", 60.0);
    figures.add("H1", "WAL bytes/run", 900.0);
    let expected = Price {
        postgres_us: 150.0,
        worker_us: 50.0,
        api_us: 60.0,
        wal_bytes: 4_400.0,
    };
    assert_eq!(shared(&figures), Some(expected));
    assert_eq!(alone(&figures), None);
    assert!((cores(1_000, 150.0) - 0.25).abs() < 1e-9);
    let tables = tables(&figures);
    let line = "| 1,000 | 0.250 | 0.083 | 0.100 | 4.196 |";
    assert!(tables.contains(line), "{tables}");
    assert!(
        !tables.contains("\n| 10 |"),
        "alone was not measured: {tables}"
    );
}

#[test]
fn a_run_alone_has_a_price_of_its_own() {
    let mut figures = Figures::default();
    for (measure, value) in [
        ("Postgres CPU µs/run", 6_000.0),
        ("worker CPU µs/run", 3_000.0),
        ("API CPU µs/run", 600.0),
        ("WAL bytes/run", 1_048_576.0),
    ] {
        figures.add("W2", measure, value);
    }
    let tables = tables(&figures);
    assert!(
        tables.contains("| 10 | 0.100 | 0.050 | 0.010 | 10.0 |"),
        "{tables}"
    );
    assert!(!tables.contains("| 1,000 |"), "{tables}");
}
