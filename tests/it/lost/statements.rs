//! The statements of the product, from where they are checked, and those that no act sends.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::wire::statement::plain;

/// Statements that the walk does without: a part of each, and why.
pub(super) const EXCUSED: &[(&str, &str)] = &[
    (
        "-- Due jobs of one queue behind the floor",
        "sent where full scans are dear, which takes a large table",
    ),
    (
        "set_config('statement_timeout', $1, true)",
        "as that: it bounds a full scan where those are dear",
    ),
    (
        "did not begin on the day that the claim looked at",
        "a read, of runs that are older than a day",
    ),
    (
        "select r.id from stepwell.run r where r.id = any($1) and r.status <> 'pending'",
        "a read, for whoever waits with `wait_ms`",
    ),
    (
        "-- The next records of each watched run",
        "a read, for streams",
    ),
    ("-- A page of a subscription's deliveries", "a read"),
    (
        "select from stepwell.delivery where subscription_id = $1 and ($2::text is null",
        "a read",
    ),
    (
        "as \"before: Value\", after as \"after: Value\"",
        "a read of the command line",
    ),
    (
        "select status = 'pending' as \"open!\", sequence from stepwell.run where id = $1",
        "a read, for streams",
    ),
    (
        "created_at >= now() - interval '24 hours'",
        "a read, of the answer to an API that lost a race",
    ),
    (
        "from stepwell.api_key where hash = $1",
        "a read, where keys are asked for",
    ),
    (
        "update stepwell.api_key set last_used_at",
        "a note of one row by itself, where keys are asked for",
    ),
    (
        "delete from stepwell.idempotency where (scope, key) in",
        "one statement by itself, for keys of yesterday",
    ),
    (
        "with jobs as ( delete from stepwell.job",
        "one statement by itself, for jobs without a run, which there are not",
    ),
    (
        "set epoch = w.epoch + 1",
        "sent in doubt: each commit whose answer is lost leads there",
    ),
    ("select epoch, status = 'draining' as", "a read, in doubt"),
    (
        "select pg_try_advisory_xact_lock(hashtextextended",
        "comes by chance, where nobody lets in who is next: `pg_advisory_xact_lock` stands for it",
    ),
    (
        "select status::text as \"status!\" from stepwell.run where id = $1",
        "a read, where a run ends just before it is spoken to",
    ),
    (
        "update stepwell.seat s set worker_id = null where s.worker_id = $1",
        "sent in doubt: each seat whose answer is lost leads there",
    ),
    (
        "set attempts = attempts - 1",
        "one statement by itself, for deliveries that a process that stops gives back",
    ),
    (
        "from stepwell.v_workers where id in (select id from stepwell.worker where freed_at is null) and status in ('alive', 'draining') and abs(",
        "sent by `doctor`",
    ),
    (
        "select run_id as \"run_id!\" from stepwell.job order by run_id limit 1",
        "sent by `doctor --deep`",
    ),
    ("create schema if not exists stepwell", "sent by `migrate`"),
    ("pg_try_advisory_lock($1)", "sent by `migrate`"),
    ("pg_advisory_unlock($1)", "sent by `migrate`"),
    (
        "select current_setting('server_version')",
        "sent by `doctor`",
    ),
    ("select (select min(ahead) from", "sent by `doctor`"),
    (
        "substring(auth_secret for 5) <> $1",
        "sent by `secret rotate`",
    ),
    ("substring(secrets for 5) <> $1", "sent by `secret rotate`"),
    (
        "substring(old_secret for 5) <> $1",
        "sent by `secret rotate`",
    ),
    (
        "update stepwell.agent set auth_secret = anew.secret",
        "sent by `secret rotate`",
    ),
    (
        "update stepwell.subscription set secret = anew.secret",
        "sent by `secret rotate`",
    ),
    (
        "update stepwell.workflow_version set secrets = anew.secrets",
        "sent by `secret rotate`",
    ),
];

/// Whether the walk does without it.
pub(super) fn is_excused(text: &str) -> bool {
    EXCUSED.iter().any(|(part, _)| text.contains(part))
}

/// Every statement that the sources have, as it is sent.
pub(super) fn all() -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = std::fs::read_dir(directory).unwrap();
    let query = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let described: serde_json::Value = serde_json::from_str(&text).unwrap();
        plain(described["query"].as_str().unwrap())
    };
    files.map(query).collect()
}
