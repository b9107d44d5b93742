//! Logs: one line per event on standard error, for people or (`json`) for machines. Standard output
//! belongs to what a command answers.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::log::{Format, Log};

/// Starts to log.
///
/// # Errors
/// When the filter cannot be read.
pub(crate) fn install(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter).with_context(|| {
        format!(
            "the log filter {:?} cannot be read: it looks like info, or info,stepwell=debug",
            log.filter
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match log.format {
        Format::Pretty => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr())
                && std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(colour).with_target(false).init();
        }
        Format::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
