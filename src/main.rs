//! The process: it reads its arguments and hands over. Nothing is decided here.

mod cli;
mod config;
mod embedded;
mod shutdown;
mod telemetry;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    stepwell::huge_pages::decline();
    stepwell::queue::descriptors::raise();
    cli::main()
}
