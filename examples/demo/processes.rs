//! The processes: who is started how. Each one says on its first line that it is ready.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A cluster is made meanwhile, perhaps on a slow disk.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// More than the grace that they are given to end their steps.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of a log that are shown when something went wrong.
const TAIL: usize = 8;

/// Deaths are noticed within four seconds, so that nobody waits long for the one in the demo.
const SETTINGS: &[(&str, &str)] = &[
    ("STEPWELL_WORKER_ALLOW_PRIVATE", "true"),
    ("STEPWELL_WORKER_HEARTBEAT_MS", "1000"),
    ("STEPWELL_WORKER_DEAD_AFTER_MS", "4000"),
    ("STEPWELL_GRACE_SECONDS", "2"),
];
/// What the processes keep of our environment's settings: where Postgres's programs are.
const KEPT: &str = "STEPWELL_PG_BIN";

struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// All processes of the demo, in the order of their start. They end with it.
pub(crate) struct Processes {
    running: Vec<Process>,
    directory: tempfile::TempDir,
    binaries: PathBuf,
    database: String,
    api: String,
    agents: String,
}

impl Processes {
    /// Nothing runs yet.
    pub(crate) fn none() -> anyhow::Result<Self> {
        // Examples are built into a directory beside the binary.
        let own = std::env::current_exe().context("cannot tell where this program is")?;
        let binaries = own
            .ancestors()
            .nth(2)
            .context("this program has no place")?;
        Ok(Self {
            running: Vec::new(),
            directory: tempfile::Builder::new()
                .prefix("stepwell-demo-")
                .tempdir()?,
            binaries: binaries.to_owned(),
            database: String::new(),
            api: String::new(),
            agents: String::new(),
        })
    }

    /// Starts a Postgres in a temporary directory and brings its schema up to date.
    pub(crate) async fn postgres(&mut self) -> anyhow::Result<()> {
        self.database = self
            .stepwell("postgres", &["postgres", "--ephemeral"])
            .await?;
        let migrated = self.command(&self.binaries.join("stepwell"));
        let output = { migrated }.args(["migrate", "up"]).output().await?;
        if !output.status.success() {
            bail!("migrate up: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Starts the API on a free port.
    pub(crate) async fn serve_api(&mut self) -> anyhow::Result<()> {
        let line = self
            .stepwell("api", &["api", "--port", "0", "--grpc-port", "0"])
            .await?;
        self.api = address_in(&line)?;
        Ok(())
    }

    /// Starts the agents on a free port.
    pub(crate) async fn serve_agents(&mut self) -> anyhow::Result<()> {
        let program = self.binaries.join("examples/demo_agents");
        let line = self.start("agents", &program, &["--port", "0"]).await?;
        self.agents = address_in(&line)?;
        Ok(())
    }

    /// Starts a worker; gives its process id.
    pub(crate) async fn worker(&mut self, name: &str) -> anyhow::Result<u32> {
        self.stepwell(name, &["worker", "--name", name]).await?;
        let id = self.running.last().and_then(|process| process.child.id());
        id.with_context(|| format!("{name} ended at once"))
    }

    /// `kill -9` of a process.
    pub(crate) async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let place = self.running.iter().position(|process| process.name == name);
        let place = place.with_context(|| format!("there is no process {name}"))?;
        let mut process = self.running.remove(place);
        process.child.kill().await.context("cannot kill it")
    }

    pub(crate) fn api(&self) -> &str {
        &self.api
    }

    pub(crate) fn agents(&self) -> &str {
        &self.agents
    }

    /// The end of each log.
    pub(crate) fn tails(&self) -> String {
        let mut text = String::new();
        for process in &self.running {
            let log = std::fs::read_to_string(&process.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL)..];
            text += &format!(
                "\n--- the log of {} ends with\n{}\n",
                process.name,
                tail.join("\n")
            );
        }
        text
    }

    /// Stops all in order, Postgres last.
    pub(crate) async fn stop(&mut self) {
        while let Some(mut process) = self.running.pop() {
            let id = process.child.id().and_then(|id| i32::try_from(id).ok());
            if let Some(id) = id {
                let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
            }
            let ended = tokio::time::timeout(STOP_PATIENCE, process.child.wait()).await;
            if ended.is_err() {
                let _ = process.child.kill().await;
            }
        }
    }

    async fn stepwell(&mut self, name: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let program = self.binaries.join("stepwell");
        self.start(name, &program, arguments).await
    }

    /// Starts a program and waits for its first line.
    async fn start(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<String> {
        let log = self.directory.path().join(format!("{name}.log"));
        let mut child = self
            .command(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}: is it built?", program.display()))?;
        let output = child.stdout.take().context("its output is not a pipe")?;
        self.running.push(Process {
            name: name.to_owned(),
            child,
            log,
        });
        let mut lines = BufReader::new(output).lines();
        let first = tokio::time::timeout(START_PATIENCE, lines.next_line())
            .await
            .with_context(|| format!("{name} is not ready after {START_PATIENCE:?}"))??;
        // Whatever else it prints must go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        first.with_context(|| format!("{name} ended before it was ready"))
    }

    /// A command that sees none of our settings, in a group of its own: Ctrl-C at the terminal
    /// reaches us alone, and we stop the others in order.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (key, _) in std::env::vars_os() {
            let is_setting = |key: &str| key.starts_with("STEPWELL_") && key != KEPT;
            if key.to_str().is_some_and(is_setting) {
                command.env_remove(key);
            }
        }
        command
            .env_remove("DATABASE_URL")
            .envs(SETTINGS.iter().copied())
            .env("NO_COLOR", "1")
            // No `stepwell.toml` of whoever looks on.
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        if !self.database.is_empty() {
            command.env("DATABASE_URL", &self.database);
        }
        command
    }
}

fn address_in(line: &str) -> anyhow::Result<String> {
    let word = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"));
    word.map(str::to_owned)
        .with_context(|| format!("no address in {line:?}"))
}
