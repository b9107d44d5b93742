//! `postmaster.pid`: what a server says of itself, and what an earlier one left behind.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Home;

/// How long the guard of an owner that was killed has to stop its server before we do it.
const GUARD_PATIENCE: Duration = Duration::from_secs(3);
/// A fast shutdown writes a checkpoint; on a slow disk that takes a while.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether the file says that the server takes connections. [`settle`] has removed the file of any
/// earlier one.
pub(crate) fn is_ready(home: &Home) -> bool {
    // Line 8 is written last: `starting`, then `ready`.
    std::fs::read_to_string(pid_file(home)).is_ok_and(|text| {
        text.lines()
            .nth(7)
            .is_some_and(|status| status.trim() == "ready")
    })
}

/// Leaves no other server on the cluster: waits for one that is being stopped, stops one that was
/// orphaned, and removes a file whose server is no more.
///
/// # Errors
/// When a server does not end.
pub(crate) async fn settle(home: &Home) -> anyhow::Result<()> {
    let Some(pid) = running(home) else {
        // Postgres takes a stale file whose number now belongs to another process for a live
        // server. We hold the directory's lock and have looked: it is stale.
        return match std::fs::remove_file(pid_file(home)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("cannot remove a stale postmaster.pid")
            }
            _ => Ok(()),
        };
    };
    tracing::info!(%pid, "an earlier Postgres is still running; waiting for its end");
    if !ends_within(home, GUARD_PATIENCE).await {
        tracing::warn!(%pid, "an earlier Postgres was left alone; stopping it");
        match kill(pid, Signal::SIGINT) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => bail!("cannot stop the earlier Postgres (process {pid}): {error}"),
        }
        if !ends_within(home, STOP_PATIENCE).await {
            bail!(
                "an earlier Postgres (process {pid}) does not end: look at {}",
                home.log().display()
            );
        }
    }
    let _ = std::fs::remove_file(pid_file(home));
    Ok(())
}

async fn ends_within(home: &Home, patience: Duration) -> bool {
    let since = Instant::now();
    while since.elapsed() < patience {
        if running(home).is_none() {
            return true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    false
}

/// The server that runs on this cluster, if there is one.
fn running(home: &Home) -> Option<Pid> {
    let text = std::fs::read_to_string(pid_file(home)).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.trim().parse().ok()?);
    (pid.as_raw() > 1 && is_server(pid, &home.cluster())).then_some(pid)
}

/// A server's working directory is its cluster; a number may have passed to another process.
#[cfg(target_os = "linux")]
fn is_server(pid: Pid, cluster: &Path) -> bool {
    match std::fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(directory) => directory == cluster,
        Err(error) => {
            error.kind() == std::io::ErrorKind::PermissionDenied && kill(pid, None).is_ok()
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn is_server(pid: Pid, _cluster: &Path) -> bool {
    kill(pid, None).is_ok()
}

fn pid_file(home: &Home) -> std::path::PathBuf {
    home.cluster().join("postmaster.pid")
}
