//! How fast Stepwell is: the workloads Q1, Q2, W1, W2 and W3 against a private Postgres with full
//! durability, each on a fresh database.
//!
//! The worker is another process of this program, with a function that does nothing; the API is the
//! product's own binary. An absolute figure says little about another machine; compare what was
//! measured within one run.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a measurement that goes wrong stops, and its result is what it prints"
)]

mod arguments;
mod figures;
mod limit;
mod meter;
#[path = "../../tests/it/harness/port.rs"]
mod port;
mod scene;
#[path = "../../tests/it/harness/server.rs"]
#[allow(dead_code, reason = "the tests also kill it")]
mod server;
mod worker;
mod workloads;

use arguments::Arguments;
use figures::Figures;

/// As for the peers that we compare with: all else is Postgres's default.
const SETTINGS: &[&str] = &["shared_buffers=1GB"];

fn main() {
    let mut words = std::env::args().skip(1);
    if let Some("worker") = words.next().as_deref() {
        return worker::main(words);
    }
    let arguments = Arguments::parse(std::env::args().skip(1));
    let server = server::Server::start_with(SETTINGS);
    let mut figures = Figures::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for repetition in 1..=arguments.repetitions {
            for workload in &arguments.workloads {
                eprintln!("{workload}, repetition {repetition}");
                workloads::measure(workload, &server, arguments.scale, &mut figures).await;
            }
        }
    });
    println!("{}", figures.table());
    if let Some(path) = arguments.json {
        std::fs::write(path, figures.json()).unwrap();
    }
}
