//! The figures as tables for people and as JSON for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::ratios::ratios;
use super::sizing;
use super::{At, Figures, Place, Row, Spread};

/// The figures, the series, and the ratios between them: those of these tables that hold anything.
pub(crate) fn tables(figures: &Figures) -> String {
    [
        singles(figures),
        series(figures),
        shares(figures),
        sizing::table(figures),
    ]
    .concat()
}

/// What stands alone.
fn singles(figures: &Figures) -> String {
    let rows: Vec<_> = figures
        .rows
        .iter()
        .filter(|row| row.place.at.is_none())
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut table =
        "| workload | measure | min | median | max |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let [min, median, max] = Spread::new(row.values.clone()).summary().map(shown);
        let (workload, measure) = (&row.place.workload, &row.measure);
        let _ = writeln!(
            table,
            "| {workload} | {measure} | {min} | {median} | {max} |"
        );
    }
    table
}

/// The workloads that turn one screw, a table each: a line for each place, with the medians.
fn series(figures: &Figures) -> String {
    let rows = || figures.rows.iter().filter(|row| row.place.at.is_some());
    let mut tables = String::new();
    for workload in distinct(rows().map(|row| row.place.workload.as_str())) {
        let own = || rows().filter(|row| row.place.workload == workload);
        let measures = distinct(own().map(|row| row.measure.as_str()));
        let _ = writeln!(
            tables,
            "\n| {workload}, medians | {} |",
            measures.join(" | ")
        );
        let _ = writeln!(tables, "|{}", "---|".repeat(measures.len() + 1));
        for place in distinct(own().map(|row| &row.place)) {
            let cells: Vec<_> = measures
                .iter()
                .map(|measure| {
                    figures
                        .values(place, measure)
                        .map_or_else(String::new, middle)
                })
                .collect();
            let _ = writeln!(tables, "| {} | {} |", at(place), cells.join(" | "));
        }
    }
    tables
}

fn shares(figures: &Figures) -> String {
    let ratios = ratios(figures);
    if ratios.is_empty() {
        return String::new();
    }
    let mut table = "\n| ratio | min | median | max |\n|---|---|---|---|\n".to_owned();
    for ratio in ratios {
        let [min, median, max] = Spread::new(ratio.values).summary().map(shown);
        let _ = writeln!(table, "| {} | {min} | {median} | {max} |", ratio.name);
    }
    table
}

fn middle(values: &[f64]) -> String {
    let [_, median, _] = Spread::new(values.to_vec()).summary();
    shown(median)
}

/// Each once, in the order of the first.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for one in all {
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

/// Everything, with what it was measured on. `peers` is what the harness said, or null.
pub(crate) fn document(figures: &Figures, about: &Value, peers: &Value) -> Value {
    let rows: Vec<_> = figures.rows.iter().map(row_json).collect();
    let ratios: Vec<_> = ratios(figures)
        .into_iter()
        .map(|ratio| {
            let [min, median, max] = Spread::new(ratio.values.clone()).summary();
            json!({"name": ratio.name, "values": ratio.values, "min": min, "median": median, "max": max})
        })
        .collect();
    json!({"about": about, "figures": rows, "ratios": ratios, "peers": peers})
}

fn row_json(row: &Row) -> Value {
    let [min, median, max] = Spread::new(row.values.clone()).summary();
    let mut object = json!({"workload": row.place.workload, "measure": row.measure,
        "values": row.values, "min": min, "median": median, "max": max});
    if let Some(place) = &row.place.at {
        object["at"] = place.value.into();
        object["by"] = place.by.clone().into();
    }
    object
}

/// Reads the figures of a document back; those of several are put together.
pub(crate) fn read(figures: &mut Figures, document: &Value) -> Result<(), String> {
    let rows = document["figures"]
        .as_array()
        .ok_or("there is no list `figures` in it")?;
    for row in rows {
        let text = |key: &str| {
            row[key]
                .as_str()
                .ok_or_else(|| format!("no `{key}`: {row}"))
        };
        let at = row["at"].as_f64().zip(row["by"].as_str());
        let place = Place {
            workload: text("workload")?.to_owned(),
            at: at.map(|(value, by)| At {
                value,
                by: by.to_owned(),
            }),
        };
        let values = row["values"].as_array().ok_or("a figure has no `values`")?;
        for value in values {
            let value = value.as_f64().ok_or("a value is no number")?;
            figures.add(place.clone(), text("measure")?, value);
        }
    }
    Ok(())
}

/// `200,000 finished runs`.
pub(crate) fn at(place: &Place) -> String {
    let at = place.at.as_ref();
    at.map_or_else(String::new, |at| format!("{} {}", grouped(at.value), at.by))
}

/// Three digits that matter, thousands apart.
pub(crate) fn shown(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.3}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => grouped(v.round()),
    }
}

/// Thousands apart; a fraction is kept.
pub(crate) fn grouped(value: f64) -> String {
    let digits = value.to_string();
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (digits.as_str(), String::new()),
    };
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + &fraction
}
