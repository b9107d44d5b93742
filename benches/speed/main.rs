//! How fast Stepwell is: the workloads of `workloads/` against a private Postgres with full
//! durability, each on a fresh database.
//!
//! Workers are other processes of this program, with a function that does nothing; the API is the
//! product's own binary. An absolute figure says little about another machine; compare what was
//! measured within one run: `--limit` and `--peers` measure what to compare with.
//! docs/performance.md tells what each workload is.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a measurement that goes wrong stops, its result is what it prints, and its numbers fit"
)]

mod arguments;
mod door;
mod figures;
mod limit;
mod meter;
mod notes;
mod pace;
#[path = "../peers/mod.rs"]
mod peers;
mod plots;
#[path = "../../tests/it/harness/port.rs"]
mod port;
mod scene;
#[path = "../../tests/it/harness/server.rs"]
#[allow(dead_code, reason = "the tests also kill it")]
mod server;
mod worker;
mod workloads;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use arguments::{Arguments, Task, USAGE, Workload};
use figures::{Figures, report};
use peers::harness;
use peers::standing::Standings;
use scene::Stage;
use serde_json::{Value, json};

// As in the product's binary, so that the workers here are what `stepwell worker` is.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    // The processes that a measurement consists of.
    match words.next().as_deref() {
        Some("worker") => {
            worker::main(words);
            return ExitCode::SUCCESS;
        }
        Some("peer") => {
            peers::runner::main(words);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let done = match arguments::parse(std::env::args().skip(1)) {
        Ok(Task::Help) => {
            println!("{USAGE}");
            Ok(())
        }
        Ok(Task::Measure(arguments)) => measure(&arguments),
        Ok(Task::Plots { files, out }) => plots::from_files(&files, &out).map(|all| tell(&all)),
        Err(mistake) => {
            eprintln!("{mistake}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn measure(arguments: &Arguments) -> Result<(), String> {
    let mut figures = Figures::default();
    let only_peers = arguments.peers.as_ref().is_some_and(|peers| peers.only);
    let postgres = if only_peers {
        None
    } else {
        Some(workloads(arguments, &mut figures))
    };
    print!("{}", report::tables(&figures));
    let about = about(arguments, postgres.as_deref());
    // Written at once: an hour of the harness is still to come.
    write(arguments, &report::document(&figures, &about, &Value::Null))?;
    if let Some(out) = &arguments.plots {
        let written = plots::draw(&figures, out);
        tell(&written.map_err(|error| format!("{}: {error}", out.display()))?);
    }
    if let Some(peers) = &arguments.peers {
        let rows = harness::run(peers, arguments)?;
        let standings = Standings::of(&rows, harness::OURSELVES);
        print!("{}", standings.tables());
        write(
            arguments,
            &report::document(&figures, &about, &standings.json()),
        )?;
    }
    Ok(())
}

fn write(arguments: &Arguments, document: &Value) -> Result<(), String> {
    let Some(path) = &arguments.json else {
        return Ok(());
    };
    fs::write(path, format!("{document:#}\n"))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn tell(written: &[PathBuf]) {
    if written.is_empty() {
        eprintln!("there is nothing to draw: plots show S1, S2, L1 and H2");
    }
    for path in written {
        eprintln!("{}", path.display());
    }
}

/// Measures the workloads; gives the server's version.
fn workloads(arguments: &Arguments, figures: &mut Figures) -> String {
    let mut stage = Stage::build();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        stage.prepare().await;
        for repetition in 1..=arguments.extent.repetitions {
            for workload in &arguments.workloads {
                // It makes its repetitions itself.
                if *workload == Workload::S1 && repetition > 1 {
                    continue;
                }
                eprintln!("{}, repetition {repetition}", workload.name());
                workloads::measure(*workload, &stage, arguments.extent, figures).await;
            }
            if arguments.limit {
                eprintln!("limit, repetition {repetition}");
                workloads::measure_limit(&stage, arguments.extent, figures).await;
            }
        }
        stage.version().await
    })
}

/// What was measured, and on what.
fn about(arguments: &Arguments, postgres: Option<&str>) -> Value {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({
        "at": chrono::Utc::now(),
        "version": env!("CARGO_PKG_VERSION"),
        "commit": std::env::var("GIT_COMMIT").ok(),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        "cores": cores,
        "postgres": postgres,
        "settings": scene::SETTINGS,
        "scale": arguments.extent.scale,
        "full": arguments.extent.full,
        "repetitions": arguments.extent.repetitions,
    })
}
