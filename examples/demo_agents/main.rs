//! The agents that the examples call: one small server on loopback that remembers every call.
//!
//! ```text
//! cargo run --example demo_agents -- --port 9000
//! ```
//!
//! With `--port 0` it takes a free port. The first line it prints is its address.

#![expect(
    clippy::print_stdout,
    reason = "the address on standard output is its interface"
)]

mod answer;
mod call;
mod server;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use clap::Parser;
use salvo::conn::tcp::TcpAcceptor;
use salvo::{Router, Server};

/// The agents that the examples call.
#[derive(Debug, Parser)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one. The examples name 9000.
    #[arg(long, default_value_t = 9000)]
    port: u16,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let acceptor = TcpAcceptor::try_from(listener)?;
    println!("http://{address}");
    let agents = server::Agents::default();
    let router = Router::new()
        .push(Router::with_path("{**path}").goal(agents.clone()))
        .goal(agents);
    tokio::select! {
        () = Server::new(acceptor).serve(router) => Ok(()),
        stopped = stop() => stopped,
    }
}

/// Returns at Ctrl-C or SIGTERM.
async fn stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    }
}
