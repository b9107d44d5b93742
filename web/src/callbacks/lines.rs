//! Lines for the log of a run, as agents and external workers send them.

use salvo::oapi::ToSchema;
use serde::Deserialize;
use stepwell_queue::log::Level;

use crate::problem::{Fault, Faults};

/// Lines of one request: what a batch of a second holds; more are a second request.
pub const LINES_MAX: usize = 1_000;

/// A line of the log.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "LogLineInput"))]
pub struct LogLineInput {
    /// `trace`, `debug`, `info` (the default), `warn` or `error`.
    #[serde(default)]
    level: Option<String>,
    /// Beyond 4,096 characters it is cut.
    message: String,
}

/// Checks lines that stand at `pointer`.
pub fn read_lines(
    lines: Vec<LogLineInput>,
    pointer: &str,
    faults: &mut Faults,
) -> Vec<(Level, String)> {
    if lines.len() > LINES_MAX {
        let detail = format!("takes up to {LINES_MAX} lines at a time");
        faults.push(Fault::at(pointer, detail));
        return Vec::new();
    }
    let mut read = Vec::with_capacity(lines.len());
    for (n, line) in lines.into_iter().enumerate() {
        if faults.is_over() {
            break;
        }
        let word = line.level.as_deref().unwrap_or("info");
        match Level::ALL.into_iter().find(|level| level.as_str() == word) {
            Some(level) => read.push((level, line.message)),
            None => faults.push(Fault::at(
                format!("{pointer}/{n}/level"),
                format!("must be one of trace, debug, info, warn, error, not {word:?}"),
            )),
        }
    }
    read
}
