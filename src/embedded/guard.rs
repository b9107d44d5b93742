//! The guard: a small process between the owner and the server.
//!
//! It believes one thing: as long as its standard input is open, the owner lives. At its end, it
//! asks the server for a fast shutdown (SIGINT), waits, and removes a temporary data directory. It
//! ignores the signals that end an owner, so that a server is never left behind by a signal to the
//! whole group, and exits with the server.
//!
//! A signal at the parent's death (`PR_SET_PDEATHSIG`) would do on Linux alone, fires when the
//! *thread* that spawned ends, and cannot be set without unsafe code.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use super::home::EPHEMERAL_PREFIX;

/// What the guard is told. Not for people.
#[derive(Debug, clap::Args)]
pub(crate) struct Guard {
    #[arg(long)]
    uid: Option<u32>,
    #[arg(long)]
    gid: Option<u32>,
    /// A temporary data directory, removed at the end.
    #[arg(long)]
    remove: Option<PathBuf>,
    /// The server and its arguments.
    #[arg(last = true, required = true)]
    server: Vec<String>,
}

impl Guard {
    /// Runs the server until it ends or the owner is gone.
    pub(crate) fn run(self) -> ExitCode {
        let mut ignored = SigSet::empty();
        for signal in [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGHUP,
            Signal::SIGQUIT,
        ] {
            ignored.add(signal);
        }
        // Blocked in every thread to come; the server is started with none blocked.
        if ignored.thread_block().is_err() {
            return ExitCode::FAILURE;
        }
        let code = match self.spawn() {
            Ok(mut server) => {
                stop_at_end_of_input(&server);
                match server.wait() {
                    Ok(status) if status.success() => ExitCode::SUCCESS,
                    _ => ExitCode::FAILURE,
                }
            }
            Err(error) => {
                tracing::error!(%error, "the server cannot be started");
                ExitCode::FAILURE
            }
        };
        if let Some(directory) = &self.remove {
            remove(directory);
        }
        code
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let (program, arguments) = self
            .server
            .split_first()
            .ok_or_else(|| std::io::Error::other("no server is named"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let (Some(uid), Some(gid)) = (self.uid, self.gid) {
            command.uid(uid).gid(gid);
        }
        command.spawn()
    }
}

fn stop_at_end_of_input(server: &Child) {
    let Ok(pid) = i32::try_from(server.id()) else {
        return;
    };
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut rest);
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
    });
}

fn remove(directory: &Path) {
    let ours = directory
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(EPHEMERAL_PREFIX));
    if ours {
        let _ = std::fs::remove_dir_all(directory);
    }
}
