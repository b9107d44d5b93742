//! The server: whether it answers, what it is, and the settings that what we promise rests on.

use std::time::Duration;

use stepwell::queue::clock as time;
use stepwell::queue::server::Server;
use stepwell::queue::{Error, Store};

use super::finding::Finding;
use crate::cli::parts;

/// The oldest server that all statements run on, as `server_version_num`.
const VERSION_MIN: i32 = 140_000;
/// Clocks that differ by more put runs and audit records into the wrong order for people.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(2);
/// The share of connections above which the next process may find none: four fifths.
const CONNECTIONS_WARN: (i64, i64) = (4, 5);
/// Postgres's own default, made for machines of another century.
const SHARED_BUFFERS_SMALL: i64 = 128 << 20;
/// A transaction that is open for so long keeps dead rows of the queue alive.
const TRANSACTION_LONG: Duration = Duration::from_secs(300);

/// Adds what there is to say of the server. `false`: it does not answer, and there is no more to see.
pub(super) async fn examine(store: &Store, findings: &mut Vec<Finding>) -> bool {
    let server = match store.server().await {
        Ok(server) => server,
        Err(error) => {
            findings.push(silent(&error));
            return false;
        }
    };
    findings.push(Finding::ok("database", "it answers"));
    findings.push(version(&server));
    findings.push(clock(&server, time::host()));
    findings.extend(settings(&server));
    true
}

fn silent(error: &Error) -> Finding {
    Finding::fail(
        "database",
        parts::chain(error),
        "check DATABASE_URL, that the server runs, and that it lets this host and user in",
    )
}

fn version(server: &Server) -> Finding {
    const CHECK: &str = "server version";
    if server.version_number >= VERSION_MIN {
        Finding::ok(CHECK, format!("PostgreSQL {}", server.version))
    } else {
        let detail = format!("PostgreSQL {} is too old", server.version);
        Finding::fail(CHECK, detail, "upgrade the server to 14 or newer")
    }
}

fn clock(server: &Server, here: chrono::DateTime<chrono::Utc>) -> Finding {
    const CHECK: &str = "clock";
    let off = (server.now - here).abs().to_std().unwrap_or_default();
    let detail = format!(
        "the database's differs from this host's by {} ms",
        off.as_millis()
    );
    if off <= CLOCK_OFF_MAX {
        Finding::ok(CHECK, detail)
    } else {
        Finding::warn(CHECK, detail, "keep both hosts on time by NTP")
    }
}

fn settings(server: &Server) -> Vec<Finding> {
    let mut findings = Vec::new();
    if server.is_standby {
        findings.push(Finding::fail(
            "standby",
            "the server replays another one and takes no writes",
            "point DATABASE_URL at the primary",
        ));
    }
    findings.push(durability(server));
    findings.push(Finding::ok(
        "wal_level",
        if server.wal_level == "minimal" {
            "minimal: enough to run, not for a standby or for point-in-time recovery".to_owned()
        } else {
            server.wal_level.clone()
        },
    ));
    let (numerator, denominator) = CONNECTIONS_WARN;
    let detail = format!(
        "{} of {} are open",
        server.connections, server.connections_max
    );
    findings.push(
        if server.connections * denominator < server.connections_max * numerator {
            Finding::ok("max_connections", detail)
        } else {
            Finding::warn(
                "max_connections",
                detail,
                "raise max_connections, lower STEPWELL_DATABASE_POOL_MAX, or put a pooler between",
            )
        },
    );
    let detail = format!("{} MiB", server.shared_buffers_bytes >> 20);
    findings.push(if server.shared_buffers_bytes > SHARED_BUFFERS_SMALL {
        Finding::ok("shared_buffers", detail)
    } else {
        Finding::warn(
            "shared_buffers",
            detail,
            "under load give it a quarter of the server's memory; docs/performance.md has figures",
        )
    });
    findings.push(if server.autovacuum {
        Finding::ok("autovacuum", "on")
    } else {
        Finding::fail(
            "autovacuum",
            "off: the queue's dead rows stay, and every claim walks them",
            "turn autovacuum on",
        )
    });
    let held = server.oldest_transaction;
    let detail = format!("the oldest has been open for {} s", held.as_secs());
    findings.push(if held < TRANSACTION_LONG {
        Finding::ok("transactions", detail)
    } else {
        Finding::warn(
            "transactions",
            detail,
            "end it (select pid, query from pg_stat_activity order by xact_start): dead rows of the \
             queue stay as long as it does",
        )
    });
    findings
}

/// What was answered with 2xx must survive a power cut.
fn durability(server: &Server) -> Finding {
    const CHECK: &str = "durability";
    if !server.fsync || !server.full_page_writes {
        return Finding::fail(
            CHECK,
            "fsync or full_page_writes is off: a power cut can destroy the whole cluster",
            "turn both on",
        );
    }
    if server.synchronous_commit == "off" {
        return Finding::fail(
            CHECK,
            "synchronous_commit is off: a crash of the server takes back what was answered with 2xx",
            "set it to on, for this database at least",
        );
    }
    let detail = format!("synchronous_commit is {}", server.synchronous_commit);
    Finding::ok(CHECK, detail)
}

#[cfg(test)]
mod tests {
    use super::{Duration, Server, clock, durability, settings, time, version};
    use crate::cli::doctor::finding::State;

    fn server() -> Server {
        Server {
            version: "17.2".into(),
            version_number: 170_002,
            now: time::host(),
            is_standby: false,
            connections: 10,
            connections_max: 100,
            shared_buffers_bytes: 1 << 30,
            wal_level: "replica".into(),
            synchronous_commit: "on".into(),
            fsync: true,
            full_page_writes: true,
            autovacuum: true,
            oldest_transaction: Duration::ZERO,
        }
    }

    fn worst(server: &Server) -> Option<State> {
        settings(server).iter().map(|finding| finding.state).max()
    }

    #[test]
    fn a_server_that_is_well_is_told_so() {
        assert_eq!(worst(&server()), Some(State::Ok));
        assert_eq!(version(&server()).state, State::Ok);
    }

    #[test]
    fn what_breaks_a_promise_fails() {
        for broken in [
            Server {
                fsync: false,
                ..server()
            },
            Server {
                full_page_writes: false,
                ..server()
            },
            Server {
                synchronous_commit: "off".into(),
                ..server()
            },
        ] {
            assert_eq!(durability(&broken).state, State::Fail, "{broken:?}");
        }
        assert_eq!(
            worst(&Server {
                is_standby: true,
                ..server()
            }),
            Some(State::Fail)
        );
        assert_eq!(
            worst(&Server {
                autovacuum: false,
                ..server()
            }),
            Some(State::Fail)
        );
        let old = Server {
            version_number: 130_011,
            ..server()
        };
        assert_eq!(version(&old).state, State::Fail);
    }

    #[test]
    fn what_will_hurt_is_warned_of() {
        for poor in [
            Server {
                connections: 80,
                ..server()
            },
            Server {
                shared_buffers_bytes: 128 << 20,
                ..server()
            },
            Server {
                oldest_transaction: Duration::from_secs(301),
                ..server()
            },
        ] {
            assert_eq!(worst(&poor), Some(State::Warn), "{poor:?}");
        }
        let late = server().now + Duration::from_secs(3);
        assert_eq!(clock(&server(), late).state, State::Warn);
        assert_eq!(clock(&server(), server().now).state, State::Ok);
    }
}
