//! A private Postgres: `stepwell up` needs no server, only a server's programs.
//!
//! The data directory holds everything:
//!
//! ```text
//! lock            held by the process that uses the directory
//! master.key      encrypts agents' credentials at rest
//! database.url    how to reach the server from elsewhere: psql "$(cat database.url)"
//! postgres/       the cluster
//! socket/         its Unix socket
//! postgres.log    what the server says
//! ```
//!
//! The server is a child of a small guard process (see [`guard`]) that holds one end of a pipe. When
//! the pipe closes, because the owner ends in order or because it was killed, the guard stops the
//! server. There is one way to stop, and a crash takes it too.
//!
//! Durability is Postgres's own default: nothing is switched off to be faster.

mod access;
mod account;
mod binaries;
mod cluster;
mod command;
pub(crate) mod guard;
mod home;
mod postmaster;
mod server;
mod settings;

use std::path::PathBuf;

use anyhow::Context;
use secrecy::SecretString;

pub(crate) use home::Home;
use server::Server;

/// Where and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// `None`: the default place, or a temporary one.
    pub(crate) data_dir: Option<PathBuf>,
    /// Thrown away at the end.
    pub(crate) ephemeral: bool,
    /// Where the server's programs are, if not in a usual place.
    pub(crate) pg_bin: Option<PathBuf>,
}

/// A running private Postgres.
#[derive(Debug)]
pub(crate) struct Private {
    // Fields are dropped in this order: the server goes before the directory that it lives in.
    server: Server,
    home: Home,
}

impl Private {
    /// Makes the cluster if need be, starts the server, and returns once it answers.
    ///
    /// # Errors
    /// Says what is missing or in the way, and what to do.
    pub(crate) async fn start(options: Options) -> anyhow::Result<Self> {
        let account = account::Account::choose()?;
        for left in Home::left_behind() {
            tracing::info!(directory = %left.path().display(), "removing what a killed process left behind");
            if let Err(error) = postmaster::settle(&left).await {
                tracing::warn!(error = format!("{error:#}"), "it stays for now");
                left.keep();
            }
        }
        let home = Home::open(&options, account.as_ref())?;
        postmaster::settle(&home).await?;
        let binaries = binaries::Binaries::find(options.pg_bin.as_deref(), cluster::major(&home)?)?;
        cluster::create(&home, &binaries, account.as_ref()).await?;
        let server = Server::start(&home, binaries, account)
            .await
            .with_context(|| {
                format!(
                    "the private Postgres in {} did not start",
                    home.path().display()
                )
            })?;
        Ok(Self { server, home })
    }

    /// How this process reaches it: by its Unix socket.
    pub(crate) fn url(&self) -> SecretString {
        self.server.access.socket_url(&self.home.socket_dir())
    }

    /// Encrypts agents' credentials at rest; made at the first start.
    pub(crate) fn master_key(&self) -> anyhow::Result<SecretString> {
        self.home.master_key()
    }

    /// The directory that holds everything.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The URL for others, by TCP on loopback.
    pub(crate) fn tcp_url(&self) -> SecretString {
        self.server.access.tcp_url()
    }

    /// Returns when the server cannot be kept running; starts it again when it ends by itself.
    pub(crate) async fn supervise(&mut self) -> anyhow::Error {
        self.server.supervise(&self.home).await
    }

    /// Stops the server in order.
    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}
