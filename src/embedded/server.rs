//! The running server: how it is started, reached, kept running and stopped.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::process::{Child, ChildStdin, Command};

use super::access::Access;
use super::account::Account;
use super::binaries::Binaries;
use super::command::command;
use super::{Home, postmaster, settings};

/// Recovery after a crash reads back at most `max_wal_size` of log; beyond this something is wrong.
const START_PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After this the log of the server is begun anew; the one before it is kept.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// What of the server's log is shown when it does not start.
const LOG_LINES_SHOWN: usize = 12;
/// Starts in a row that may fail before the process gives up.
const RESTARTS_MAX: u32 = 5;
/// A server that ran this long has recovered: earlier failures no longer count.
const RESTART_FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// A server under its guard.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) access: Access,
    binaries: Binaries,
    account: Option<Account>,
    guard: Child,
    /// Closing it stops the server.
    input: Option<ChildStdin>,
}

impl Server {
    /// Starts the server and returns when it takes connections.
    ///
    /// # Errors
    /// With the end of the server's log.
    pub(crate) async fn start(
        home: &Home,
        binaries: Binaries,
        account: Option<Account>,
    ) -> anyhow::Result<Self> {
        let mut access = Access::load_or_make(home)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, access.port())).is_err() {
            access.move_to_free_port(home)?;
        }
        let (guard, input) = launch(home, &binaries, account.as_ref(), access.port()).await?;
        Ok(Self {
            access,
            binaries,
            account,
            guard,
            input: Some(input),
        })
    }

    /// Returns when the server cannot be kept running. It comes back on the same port, so that
    /// those who are connected find it again.
    pub(crate) async fn supervise(&mut self, home: &Home) -> anyhow::Error {
        let mut failures = 0;
        loop {
            let since = Instant::now();
            let _ = self.guard.wait().await;
            if since.elapsed() > RESTART_FORGIVEN_AFTER {
                failures = 0;
            }
            tracing::warn!("the private Postgres has ended by itself; starting it again");
            loop {
                failures += 1;
                if failures > RESTARTS_MAX {
                    return anyhow::anyhow!(
                        "the private Postgres does not keep running: look at {}",
                        home.log().display()
                    );
                }
                match self.restart(home).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::error!(
                            error = format!("{error:#}"),
                            "the private Postgres did not start"
                        );
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        }
    }

    async fn restart(&mut self, home: &Home) -> anyhow::Result<()> {
        postmaster::settle(home).await?;
        let account = self.account.as_ref();
        let (guard, input) = launch(home, &self.binaries, account, self.access.port()).await?;
        self.guard = guard;
        self.input = Some(input);
        Ok(())
    }

    /// Stops the server in order and waits for its end.
    pub(crate) async fn stop(mut self) {
        drop(self.input.take());
        if let Err(error) = self.guard.wait().await {
            tracing::warn!(%error, "cannot wait for the private Postgres");
        }
    }
}

async fn launch(
    home: &Home,
    binaries: &Binaries,
    account: Option<&Account>,
    port: u16,
) -> anyhow::Result<(Child, ChildStdin)> {
    let log = open_log(home)?;
    // As ourselves: it may have to remove what is ours.
    let mut guarded = command(own_program()?, None);
    guarded.arg("postgres-guard");
    if let Some(account) = account {
        guarded.args([
            "--uid",
            &account.uid.to_string(),
            "--gid",
            &account.gid.to_string(),
        ]);
    }
    if home.ephemeral() {
        guarded.arg("--remove").arg(home.path());
    }
    guarded
        .arg("--")
        .arg(binaries.postgres())
        .args(settings::arguments(
            &home.cluster(),
            &home.socket_dir(),
            port,
        ))
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(log.try_clone().context("cannot share the log")?)
        .stderr(log)
        // Its own group: a terminal's Ctrl-C is for the owner, who still needs the server.
        .process_group(0);
    let mut guard = Command::from(guarded)
        .spawn()
        .context("cannot start the guard of the private Postgres")?;
    let input = guard.stdin.take().context("the guard has no input")?;
    wait_until_ready(home, &mut guard).await?;
    Ok((guard, input))
}

async fn wait_until_ready(home: &Home, guard: &mut Child) -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        if postmaster::is_ready(home) {
            tracing::debug!(elapsed = ?since.elapsed(), "the private Postgres is ready");
            return Ok(());
        }
        if let Some(status) = guard.try_wait().context("cannot ask after the server")? {
            bail!(
                "it ended with {status}; its last words were:\n{}",
                last_words(home)
            );
        }
        if since.elapsed() > START_PATIENCE {
            bail!(
                "it is not ready after {START_PATIENCE:?}; its last words were:\n{}",
                last_words(home)
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The program that runs now, even if its file was replaced meanwhile.
fn own_program() -> anyhow::Result<std::path::PathBuf> {
    let link = Path::new("/proc/self/exe");
    if link.exists() {
        return Ok(link.to_owned());
    }
    std::env::current_exe().context("cannot find the stepwell program")
}

fn open_log(home: &Home) -> anyhow::Result<File> {
    let path = home.log();
    if path
        .metadata()
        .is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX)
    {
        std::fs::rename(&path, path.with_extension("log.1"))
            .context("cannot set the old log aside")?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn last_words(home: &Home) -> String {
    let bytes = std::fs::read(home.log()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
    lines.get(from..).unwrap_or_default().join("\n")
}
