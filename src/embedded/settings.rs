//! How the private Postgres is set: sized for one machine that it shares, durable throughout.

use std::path::Path;

/// Connections: an API, some workers and a person at `psql`.
const CONNECTIONS_MAX: u32 = 200;

/// Returns the server's arguments.
pub(crate) fn arguments(cluster: &Path, socket_dir: &Path, port: u16) -> Vec<String> {
    let fixed = [
        "listen_addresses=127.0.0.1",
        "unix_socket_permissions=0700",
        "password_encryption=scram-sha-256",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        "log_destination=stderr",
        "shared_buffers=256MB",
        "wal_buffers=16MB",
        // Few checkpoints: each makes the next change of every page a full page in the log.
        "checkpoint_timeout=15min",
        "max_wal_size=4GB",
        "min_wal_size=256MB",
        "wal_compression=on",
        // A solid disk, and short statements that a compiler only slows down.
        "random_page_cost=1.1",
        "jit=off",
        // The queue's table is small and turns over quickly.
        "autovacuum_naptime=5s",
    ];
    let mut arguments = vec!["-D".to_owned(), cluster.display().to_string()];
    let own = [
        format!("port={port}"),
        format!("unix_socket_directories={}", quoted(socket_dir)),
        format!("max_connections={CONNECTIONS_MAX}"),
    ];
    for setting in own.into_iter().chain(fixed.map(str::to_owned)) {
        arguments.push("-c".to_owned());
        arguments.push(setting);
    }
    arguments
}

/// The setting is a list: a comma or a space in a path must not end an entry.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('"', "\"\""))
}
