//! A private Postgres server with full durability, in a directory of its own.
//!
//! A watchdog process holds the other end of a pipe: when this process ends, however it ends, the
//! watchdog stops the server, kills what the tests had started and removes the directory.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::port;

const START_PATIENCE: Duration = Duration::from_secs(60);
/// Enough for every process of every test that runs at the same time.
const CONNECTIONS: &str = "max_connections=400";
const PASSWORD: &str = "only-for-tests-on-loopback";

/// What the watchdog does when its standard input ends. It looks at a process's name before it
/// kills it, because numbers are used again.
const WATCHDOG: &str = r#"
cat > /dev/null
is() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ]; }
for file in "$1"/processes/*; do
    pid=${file##*/}
    is "$pid" "$(cat "$file" 2>/dev/null)" && kill -KILL "$pid"
done
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && is "$pid" postgres; then
    kill -QUIT "$pid"
    while is "$pid" postgres; do sleep 0.1; done
fi
rm -rf "$1"
"#;

/// A Postgres server.
#[derive(Debug)]
pub(crate) struct Server {
    directory: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    settings: &'static [&'static str],
    child: Option<Child>,
    watchdog: Child,
}

impl Server {
    /// Makes a cluster and starts it.
    pub(crate) fn start() -> Self {
        Self::start_with(&["shared_buffers=128MB", "checkpoint_timeout=30min"])
    }

    /// The same with settings of the caller's choice.
    pub(crate) fn start_with(settings: &'static [&'static str]) -> Self {
        let owner = owner();
        let directory = tempfile::Builder::new()
            .prefix("stepwell-it-")
            .tempdir()
            .unwrap()
            .keep();
        fs::create_dir(directory.join("processes")).unwrap();
        let password_file = directory.join("password");
        fs::write(&password_file, PASSWORD).unwrap();
        if let Some((uid, gid)) = owner {
            chown(&directory, Some(uid), Some(gid)).unwrap();
            chown(&password_file, Some(uid), Some(gid)).unwrap();
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut server = Self {
            directory,
            port: port::free(),
            owner,
            settings,
            child: None,
            watchdog,
        };
        let made = server
            .program("initdb")
            .args([
                "--username=postgres",
                "--auth-local=trust",
                "--auth-host=password",
            ])
            .args(["--encoding=UTF8", "--locale=C", "--no-sync", "--pwfile"])
            .arg(server.directory.join("password"))
            .arg("--pgdata")
            .arg(server.data())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.launch();
        server
    }

    /// Starts the server on its directory and waits until it takes connections.
    pub(crate) fn launch(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .unwrap();
        let child = self
            .program("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-k"])
            .arg(&self.directory)
            .args(["-c", "listen_addresses=127.0.0.1", "-c", CONNECTIONS])
            .args([
                "-c",
                "fsync=on",
                "-c",
                "synchronous_commit=on",
                "-c",
                "full_page_writes=on",
            ])
            .args(self.settings.iter().flat_map(|setting| ["-c", *setting]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let pid = child.id().to_string();
        self.child = Some(child);
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            let mut lines = state.lines();
            if lines.next() == Some(&pid) && lines.nth(6).is_some_and(|l| l.trim() == "ready") {
                return;
            }
            let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "postgres did not start: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9` of the server and all its processes, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        let backends = children(child.id());
        child.kill().unwrap();
        for pid in &backends {
            let _ = nix::sys::signal::kill(*pid, nix::sys::signal::Signal::SIGKILL);
        }
        child.wait().unwrap();
        // The next start refuses while anybody holds the shared memory.
        let deadline = Instant::now() + START_PATIENCE;
        while backends.iter().any(|pid| is_running(*pid)) {
            assert!(Instant::now() < deadline, "a backend outlives its server");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Keeps what it has now, as a replica that hears of nothing later. Nothing may run.
    pub(crate) fn copy(&self) {
        let copied = self
            .command(Path::new("cp"))
            .arg("-a")
            .args([self.data(), self.replica()])
            .status()
            .unwrap();
        assert!(copied.success(), "{copied}");
    }

    /// Kills the server and starts what [`Self::copy`] kept in its place, as a promoted replica.
    pub(crate) fn fail_over(&mut self) {
        self.kill();
        fs::remove_dir_all(self.data()).unwrap();
        fs::rename(self.replica(), self.data()).unwrap();
        // It finds no more WAL than it has, and begins a timeline of its own.
        let settings = self.data().join("postgresql.auto.conf");
        let mut settings = fs::OpenOptions::new().append(true).open(settings).unwrap();
        writeln!(settings, "restore_command = 'false'").unwrap();
        let signal = self.data().join("recovery.signal");
        fs::write(&signal, "").unwrap();
        if let Some((uid, gid)) = self.owner {
            chown(&signal, Some(uid), Some(gid)).unwrap();
        }
        self.launch();
    }

    /// The address of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The server's first process.
    #[allow(dead_code, reason = "the benchmark reads what it costs")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Where processes that must not outlive the tests are noted.
    pub(crate) fn processes(&self) -> PathBuf {
        self.directory.join("processes")
    }

    fn replica(&self) -> PathBuf {
        self.directory.join("replica")
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn program(&self, name: &str) -> Command {
        self.command(&bin().join(name))
    }

    /// Who runs it owns the data.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory);
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut input) = self.watchdog.stdin.take() {
            let _ = input.flush();
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
        let _ = self.watchdog.wait();
    }
}

/// The processes whose parent this is.
fn children(parent: u32) -> Vec<nix::unistd::Pid> {
    let own = |entry: &fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name, in brackets, may hold anything; state and parent follow it.
        let parent_of = stat
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(1)?
            .parse::<u32>()
            .ok()?;
        (parent_of == parent).then(|| nix::unistd::Pid::from_raw(pid))
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| own(&entry))
        .collect()
}

/// Whether a process is there and not only waiting to be reaped.
fn is_running(pid: nix::unistd::Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
    })
}

/// The user that the server runs as when we are root, which Postgres refuses to be.
fn owner() -> Option<(u32, u32)> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let user = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| nix::unistd::User::from_name(name).ok().flatten())
        .expect("the users postgres or nobody exist");
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

/// The directory with the newest server's programs.
pub(crate) fn bin() -> PathBuf {
    if let Some(named) = std::env::var_os("STEPWELL_PG_BIN") {
        return PathBuf::from(named);
    }
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    found.sort();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|directory: &PathBuf| has_server(directory))
    };
    found
        .pop()
        .map(|(_, path)| path)
        .or_else(on_path)
        .expect("PostgreSQL server programs: install `postgresql`, or set STEPWELL_PG_BIN")
}

fn has_server(directory: &Path) -> bool {
    directory.join("initdb").exists() && directory.join("postgres").exists()
}
