//! What people and programs are told.

use serde_json::{Value, json};

use crate::figures::report::{document, grouped, read, shown, tables};
use crate::figures::{Figures, Place};

#[test]
fn numbers_are_shown_as_people_read_them() {
    let table = [
        (0.0123, "0.012"),
        (9.5, "9.500"),
        (42.42, "42.4"),
        (999.6, "1,000"),
        (1_234_567.0, "1,234,567"),
    ];
    for (value, text) in table {
        assert_eq!(shown(value), text);
    }
    assert_eq!(grouped(0.5), "0.5");
    assert_eq!(grouped(10_000_000.0), "10,000,000");
}

#[test]
fn what_was_written_is_read_back_and_put_together() {
    let mut figures = Figures::default();
    figures.add(Place::at("S2", 2.0, "workers"), "steps/s", 10.0);
    figures.add("W1", "steps/s", 5.0);
    let document = document(&figures, &json!({}), &Value::Null);
    let mut again = Figures::default();
    read(&mut again, &document).unwrap();
    read(&mut again, &document).unwrap();
    let place = Place::at("S2", 2.0, "workers");
    assert_eq!(again.values(&place, "steps/s"), Some(&[10.0, 10.0][..]));
    let tables = tables(&again);
    assert!(
        tables.contains("| W1 | steps/s | 5.000 | 5.000 | 5.000 |"),
        "{tables}"
    );
    let series = "| S2, medians | steps/s |\n|---|---|\n| 2 workers | 10.0 |\n";
    assert!(tables.contains(series), "{tables}");
    assert!(read(&mut again, &json!({"figures": [{"workload": "W1"}]})).is_err());
}
