//! Shows Stepwell at work: real processes, a Postgres of their own, and every claim checked.
//!
//! ```text
//! ./dev demo [--keep]
//! ```
//!
//! It ends with 0 when everything was as expected, and stops whatever it started.

mod api;
mod definitions;
mod processes;
mod scenes;
mod show;

use std::process::ExitCode;

use clap::Parser;
use processes::Processes;
use show::Show;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Shows Stepwell at work.
#[derive(Debug, Parser)]
struct Arguments {
    /// Leave everything running at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut show = Show::begin();
    match play(&arguments, &mut show).await {
        Ok(()) if show.is_well() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            show.broke_off(&error, "");
            ExitCode::FAILURE
        }
    }
}

async fn play(arguments: &Arguments, show: &mut Show) -> anyhow::Result<()> {
    // A second installation in the same process is refused and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut processes = Processes::none()?;
    let outcome = tokio::select! {
        outcome = scenes::all(&mut processes, show) => outcome,
        () = asked(&mut interrupt, &mut terminate) => Err(anyhow::anyhow!("interrupted")),
    };
    if let Err(error) = outcome {
        show.broke_off(&error, &processes.tails());
        processes.stop().await;
        return Ok(());
    }
    show.sum_up();
    if arguments.keep {
        show.stays_up(processes.api(), processes.agents());
        asked(&mut interrupt, &mut terminate).await;
    }
    processes.stop().await;
    Ok(())
}

async fn asked(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
