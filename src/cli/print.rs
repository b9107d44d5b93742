//! Standard output holds the answer and nothing else; standard error the rest. Whoever stops
//! reading is not an error.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use super::refused::Refused;
use crate::config::Mistake;

/// Prints a line of the answer.
pub(super) fn line(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Prints the answer as one line of JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?);
    Ok(())
}

/// Prints why a command failed, with its causes; as JSON: the server's problem as it came, or one of
/// ours, on one line.
pub(super) fn error(error: &anyhow::Error, json: bool) {
    let mut out = std::io::stderr().lock();
    let _ = if json {
        writeln!(out, "{}", problem(error))
    } else {
        writeln!(out, "error: {error:#}")
    };
}

/// Prints that the arguments cannot be used.
pub(super) fn usage(words: &str, json: bool) {
    error(&Mistake::new(words).into(), json);
}

/// The problem that an error is.
pub(super) fn problem(error: &anyhow::Error) -> Value {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return refused.problem().clone();
    }
    let (kind, title) = match error.downcast_ref::<Mistake>() {
        Some(_) => ("usage", "An argument or a setting cannot be used"),
        None => ("failed", "The command failed"),
    };
    let kind = format!("urn:stepwell:problem:{kind}");
    serde_json::json!({ "type": kind, "title": title, "detail": format!("{error:#}") })
}

/// Prints rows in columns as wide as their widest cell.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let head = head.get(column).map_or(0, |cell| cell.chars().count());
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .max(head)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        line(cells.join("  ").trim_end());
    };
    print(&mut head.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};
    use reqwest::StatusCode;

    use super::{Mistake, Refused, problem};

    #[test]
    fn every_error_is_a_problem() {
        let text = r#"{"type": "urn:stepwell:problem:invalid", "status": 422, "detail": "d"}"#;
        let refused = Refused::read(StatusCode::UNPROCESSABLE_ENTITY, text);
        let refused = Err::<(), _>(refused).context("agent a");
        let as_it_came = serde_json::from_str(text).ok();
        assert_eq!(refused.err().as_ref().map(problem), as_it_came);
        let usage = problem(&Mistake::new("no such flag").into());
        assert_eq!(usage["type"], "urn:stepwell:problem:usage");
        let failed = problem(&anyhow!("inner").context("outer"));
        assert_eq!(failed["detail"], "outer: inner");
    }
}
