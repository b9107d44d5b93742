//! The columns of the rows, and statements that take each of them as an array.

/// A column: its name, the type of the array's items, and what makes the column's own type of that.
pub(super) type Column = (&'static str, &'static str, &'static str);

pub(super) const RUN: &[Column] = &[
    ("id", "uuid", ""),
    ("workflow_id", "uuid", ""),
    ("workflow_name", "text", ""),
    ("version", "int", ""),
    ("queue", "text", ""),
    ("steps_total", "int", ""),
    ("input", "text", "::json"),
    ("triggered_by", "text", ""),
    ("created_at", "timestamptz", ""),
];
pub(super) const JOB: &[Column] = &[
    ("run_id", "uuid", ""),
    ("queue", "text", ""),
    ("state", "text", "::stepwell.job_state"),
];
pub(super) const STEP: &[Column] = &[
    ("run_id", "uuid", ""),
    ("worker_id", "uuid", ""),
    ("started_at", "timestamptz", ""),
    ("finished_at", "timestamptz", ""),
    ("generation", "int", ""),
    ("status", "text", "::stepwell.step_status"),
    ("step", "smallint", ""),
    ("attempt", "smallint", ""),
    ("max_attempts", "smallint", ""),
    ("name", "text", ""),
    ("kind", "text", ""),
    ("input", "text", "::json"),
    ("output", "text", "::json"),
];
pub(super) const RECORD: &[Column] = &[
    ("id", "uuid", ""),
    ("entity_type", "text", ""),
    ("entity_id", "uuid", ""),
    ("sequence", "bigint", ""),
    ("step", "text", ""),
    ("action", "text", ""),
    ("before", "text", "::json"),
    ("after", "text", "::json"),
    ("detail", "text", "::json"),
    ("actor", "text", ""),
];
/// What becomes of a run at its end.
pub(super) const END: &[Column] = &[
    ("run_id", "uuid", ""),
    ("status", "text", ""),
    ("output", "text", ""),
    ("started_at", "timestamptz", ""),
    ("finished_at", "timestamptz", ""),
];

/// An insert of rows whose columns are the parameters from `first` on. `beside`: what else is selected from.
pub(super) fn insert(table: &str, columns: &[Column], first: usize, beside: &str) -> String {
    let names = listed(columns, |_, (name, _, _)| (*name).to_owned());
    let values = listed(columns, |_, (name, _, made)| format!("n.{name}{made}"));
    let rows = unnested(columns, first);
    format!("insert into stepwell.{table} ({names}) select {values} from {beside}({rows}) as n")
}

/// The rows themselves. The arrays stand side by side, which is the quickest that Postgres does it.
pub(super) fn unnested(columns: &[Column], first: usize) -> String {
    let arrays = listed(columns, |n, (name, item, _)| {
        format!("unnest(${}::{item}[]) as {name}", first + n)
    });
    format!("select {arrays}")
}

fn listed(columns: &[Column], say: impl Fn(usize, &Column) -> String) -> String {
    let said: Vec<_> = columns.iter().enumerate().map(|(n, c)| say(n, c)).collect();
    said.join(", ")
}
