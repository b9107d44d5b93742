//! Runs the harness: what it needs, its Postgres, and its measurement.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::arguments::{Arguments, Peers, Workload};

/// Where the harness keeps what it installs, unless PEERS_ROOT says otherwise.
const ROOT: &str = "/var/tmp/stepwell-peers";
/// Written there once its install.sh came to its end.
const INSTALLED: &str = "installed";
/// What it can measure.
const KNOWN: &[Workload] = &[
    Workload::Q1,
    Workload::Q2,
    Workload::W1,
    Workload::W1x2,
    Workload::W2,
    Workload::W3,
];
/// What `harness.py` calls us.
pub(crate) const OURSELVES: &str = "stepwell";

/// Runs it and gives the rows that it wrote.
pub(crate) fn run(peers: &Peers, arguments: &Arguments) -> Result<Vec<Value>, String> {
    let directory = fs::canonicalize(&peers.directory)
        .map_err(|error| format!("{}: {error}", peers.directory.display()))?;
    for file in ["bench.py", "peers.py", "cluster.sh", "install.sh"] {
        if !directory.join(file).is_file() {
            return Err(format!("there is no {file} in {}", directory.display()));
        }
    }
    let workloads: Vec<_> = arguments
        .workloads
        .iter()
        .filter(|workload| KNOWN.contains(workload))
        .map(|workload| workload.name())
        .collect();
    if workloads.is_empty() {
        return Err("the harness measures Q1, Q2, W1, W1x2, W2 and W3: none is asked for".into());
    }
    know(&directory, &peers.against)?;
    let root = env::var_os("PEERS_ROOT").map_or_else(|| PathBuf::from(ROOT), PathBuf::from);
    if peers.install && !root.join(INSTALLED).exists() {
        command(Command::new("bash").arg(directory.join("install.sh")))?;
        fs::write(root.join(INSTALLED), "").map_err(|error| error.to_string())?;
    }
    let _cluster = Cluster::start(&directory, &root)?;
    let out = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    let extent = arguments.extent;
    let mut bench = script(&directory)?;
    bench
        .arg("run")
        .args(["--reps", &extent.repetitions.to_string()])
        .args(["--scale", &extent.scale.to_string()])
        .args(["--workloads", &workloads.join(",")])
        .arg("--out")
        .arg(out.path());
    if !peers.against.is_empty() {
        let named = format!("{OURSELVES},{}", peers.against.join(","));
        bench.args(["--peers", &named]);
    }
    let ended = command(&mut bench);
    let text = fs::read_to_string(out.path()).map_err(|error| error.to_string())?;
    let rows = text.lines().map(serde_json::from_str::<Value>);
    let rows: Vec<_> = rows.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    // An hour's rows are worth something also when the end is missing.
    match ended {
        Err(error) if rows.is_empty() => return Err(error),
        Err(error) => eprintln!("not to its end: {error}"),
        Ok(()) => {}
    }
    Ok(rows)
}

/// `harness.py` with what it always takes.
fn script(directory: &Path) -> Result<Command, String> {
    let mut command = Command::new("python3");
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/benches/peers/harness.py"
        ))
        .arg(directory)
        .arg(env::current_exe().map_err(|error| error.to_string())?);
    Ok(command)
}

/// Makes sure that the harness knows these peers, before anything is installed for them.
fn know(directory: &Path, names: &[String]) -> Result<(), String> {
    let mut command = script(directory)?;
    let output = command.arg("names").stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    let known = String::from_utf8_lossy(&output.stdout);
    for name in names {
        if !known.lines().any(|known| known == name) {
            let known: Vec<_> = known.lines().collect();
            let known = known.join(", ");
            return Err(format!("the harness has no peer {name:?}, but {known}"));
        }
    }
    Ok(())
}

/// The harness's Postgres. It is stopped at the end if it was started here.
struct Cluster<'a> {
    directory: &'a Path,
    started: bool,
}

impl<'a> Cluster<'a> {
    fn start(directory: &'a Path, root: &Path) -> Result<Self, String> {
        let cluster = |word: &str| {
            let mut command = Command::new("bash");
            command.arg(directory.join("cluster.sh")).arg(word);
            command
        };
        if !root.join("pg/data").is_dir() {
            command(&mut cluster("init"))?;
        }
        let runs = command(&mut cluster("status")).is_ok();
        if !runs {
            command(&mut cluster("start"))?;
        }
        Ok(Self {
            directory,
            started: !runs,
        })
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        if self.started {
            let mut stop = Command::new("bash");
            stop.arg(self.directory.join("cluster.sh")).arg("stop");
            if let Err(error) = command(&mut stop) {
                eprintln!("{error}");
            }
        }
    }
}

/// Runs it to its end; what it says goes to standard error, because ours holds the tables.
fn command(command: &mut Command) -> Result<(), String> {
    let status = command.stdout(io::stderr()).status();
    let status = status.map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {status}"))
    }
}
