//! How the process ends: the first SIGTERM or SIGINT asks for an orderly end, the second ends it at
//! once. A private Postgres is stopped in order in either case (see `embedded::guard`).

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Terminals, `timeout` and some supervisors signal the process and its group at once: what comes
/// this soon after the first is the same word.
const SAME_WORD: Duration = Duration::from_millis(500);

/// Starts to listen for signals; the token is cancelled by the first one.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn install() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "stopping; once more ends it at once");
        asked.cancel();
        let since = tokio::time::Instant::now();
        let name = loop {
            let name = next().await;
            if since.elapsed() > SAME_WORD {
                break name;
            }
        };
        tracing::warn!(
            signal = name,
            "ended at once; unfinished steps run again elsewhere"
        );
        std::process::exit(1);
    });
    Ok(stop)
}
