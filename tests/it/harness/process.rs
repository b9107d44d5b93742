//! The real binary as a child process, with its log in a file.

use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, database, until};

pub(crate) const EXIT_OK: i32 = 0;
pub(crate) const EXIT_FAILED: i32 = 1;
pub(crate) const EXIT_USAGE: i32 = 2;
/// Lines of the log that a failed test shows.
const TAIL: usize = 60;

/// A process that ends with its test.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: String,
    child: tokio::process::Child,
    pid: u32,
    output: tempfile::NamedTempFile,
    log: tempfile::NamedTempFile,
    note: Option<PathBuf>,
}

impl Process {
    /// Starts `stepwell` with these arguments; of our variables it sees only those given.
    pub(crate) fn spawn(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn_program(
            env!("CARGO_BIN_EXE_stepwell").as_ref(),
            name,
            arguments,
            variables,
        )
    }

    /// Starts `stepwell` where it may have so many descriptors at most, at first half of them.
    pub(crate) fn spawn_with_descriptors(
        most: u32,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let limited = format!(
            "ulimit -Sn {}; ulimit -Hn {most}; exec \"$0\" \"$@\"",
            most / 2
        );
        let program = env!("CARGO_BIN_EXE_stepwell");
        let arguments: Vec<&str> = ["-c", &limited, program]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        Self::spawn_as("stepwell", "sh".as_ref(), name, &arguments, variables)
    }

    /// Starts another program of ours.
    pub(crate) fn spawn_program(
        program: &std::path::Path,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let called = program.file_name().unwrap_or_default().to_string_lossy();
        Self::spawn_as(&called, program, name, arguments, variables)
    }

    /// `called`: what the system calls it in the end.
    fn spawn_as(
        called: &str,
        program: &std::path::Path,
        name: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let output = tempfile::NamedTempFile::new().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = tokio::process::Command::new(program);
        for (key, _) in std::env::vars_os() {
            let ours = key.to_str().is_some_and(|key| {
                key == "DATABASE_URL" || (key.starts_with("STEPWELL_") && key != "STEPWELL_PG_BIN")
            });
            if ours {
                command.env_remove(key);
            }
        }
        let child = command
            .args(arguments)
            // Many run at once.
            .env("STEPWELL_GRPC_PORT", "0")
            .envs(variables.iter().copied())
            .env("NO_COLOR", "1")
            // No `stepwell.toml` of whoever runs the tests.
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(output.reopen().unwrap())
            .stderr(log.reopen().unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let pid = child.id().expect("it was started just now");
        let comm: String = called.chars().take(15).collect();
        let note = database::processes().map(|directory| directory.join(pid.to_string()));
        if let Some(note) = &note {
            fs::write(note, comm).unwrap();
        }
        Self {
            name: name.to_owned(),
            child,
            pid,
            output,
            log,
            note,
        }
    }

    /// What it wrote to standard output so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output.path()).unwrap_or_default()).into_owned()
    }

    /// All that it wrote so far.
    pub(crate) fn log(&self) -> String {
        let errors = fs::read(self.log.path()).unwrap_or_default();
        self.output() + &String::from_utf8_lossy(&errors)
    }

    /// Waits for a line that holds `text`.
    pub(crate) async fn said(&self, text: &str) -> String {
        until(
            &format!("{} says {text:?}", self.name),
            PATIENCE,
            async || {
                self.log()
                    .lines()
                    .find(|line| line.contains(text))
                    .map(ToOwned::to_owned)
            },
        )
        .await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid).unwrap()), signal).unwrap();
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.exit().await;
    }

    /// SIGTERM, and waits until it is gone.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.exit().await
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap();
        if status.is_some() {
            self.forget();
        }
        status
    }

    /// Waits for its end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        self.exit_within(PATIENCE).await
    }

    pub(crate) async fn exit_within(&mut self, patience: Duration) -> ExitStatus {
        let status = tokio::time::timeout(patience, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("{} did not end within {patience:?}", self.name))
            .unwrap();
        self.forget();
        status
    }

    fn forget(&mut self) {
        if let Some(note) = self.note.take() {
            let _ = fs::remove_file(note);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL)..];
            eprintln!(
                "--- {} (process {})\n{}",
                self.name,
                self.pid,
                tail.join("\n")
            );
        }
        // Killed by `kill_on_drop`.
        self.forget();
    }
}
