//! A real PgBouncer in transaction mode before the server of the tests.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use url::Url;

use super::{Database, PATIENCE, port, until};

/// Where `./dev setup` puts one that is new enough, below the root of the repository.
const BUILT: &str = "target/pgbouncer/pgbouncer";
/// It refuses to run as root.
const ACCOUNT: &str = "nobody";

/// A pooler; it ends with its test.
#[derive(Debug)]
pub(crate) struct Pooler {
    pub(crate) url: String,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Pooler {
    /// Starts one that keeps so many prepared statements of a client apart from those of others; `None` where there is
    /// no PgBouncer, which is no excuse in CI.
    pub(crate) async fn before(database: &Database, prepared: u32) -> Option<Self> {
        let program = program()?;
        let directory = tempfile::tempdir().unwrap();
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), readable).unwrap();
        let mut url = Url::parse(&database.url).unwrap();
        let port = port::free();
        let settings = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={server} user={user} password={password}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             max_prepared_statements = {prepared}\n\
             max_client_conn = 500\n",
            server = url.port().unwrap_or(5432),
            user = url.username(),
            password = url.password().unwrap_or_default(),
        );
        let file = directory.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new(program);
        if nix::unistd::geteuid().is_root() {
            command.args(["-u", ACCOUNT]);
        }
        let child = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        until("the pooler listens", PATIENCE, async || {
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            connected.ok().map(drop)
        })
        .await;
        url.set_port(Some(port)).unwrap();
        Some(Self {
            url: url.into(),
            child,
            _directory: directory,
        })
    }

    /// What a process is told that comes by it.
    pub(crate) fn variables(&self) -> [(&str, &str); 2] {
        [
            ("DATABASE_URL", self.url.as_str()),
            ("STEPWELL_DATABASE_LISTEN", "false"),
        ]
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(BUILT);
    if built.exists() {
        return Some(built);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{} is missing: ./dev setup makes it where CI is set",
        built.display()
    );
    eprintln!(
        "not tested: {} is missing (CI=true ./dev setup makes it)",
        built.display()
    );
    None
}
