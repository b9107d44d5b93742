//! How programs of Postgres are started: with an environment of their own, and never as root.
//!
//! Ours holds secrets (keys, tokens, what a cloud gives its machines) that everybody who runs as their account
//! could read in `/proc`, and may hold settings that are meant for another server (`PGDATA`, `PGPORT`).

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::account::Account;

/// What programs need of ours: where others and their libraries lie, and where files may be put.
const KEPT: [&str; 5] = ["PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "TZ"];

/// Returns a command for a program that runs as this account, or as ourselves.
pub(super) fn command(program: impl AsRef<OsStr>, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C");
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    command
}
