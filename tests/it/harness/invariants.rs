//! What must be true of any database of ours, at any moment between two commits: what the product looks for
//! by itself (`queue/src/invariants/`), and what only tests can ask for.

use sqlx::AssertSqlSafe;
use stepwell_queue::Store;
use stepwell_queue::invariants::Reach;
use stepwell_queue::store::StoreOptions;

use super::Database;

/// Each query gives one text per breach.
const ONLY_HERE: &[(&str, &str)] = &[
    (
        // In production one that leaves has a moment to free them.
        "nothing is leased by a worker that is gone",
        "select j.run_id || ' by ' || w.name from stepwell.job j
           join stepwell.worker w on w.id = j.worker_id and w.status = 'gone'
          where j.state = 'leased'",
    ),
    (
        "no row fell into a default partition",
        "select c.relname || ': ' || n from pg_class c
          cross join lateral (select (xpath('/row/c/text()', query_to_xml(
                 format('select count(*) as c from stepwell.%I', c.relname), false, true, '')))[1]::text::bigint) x(n)
          where c.relnamespace = 'stepwell'::regnamespace and c.relispartition
            and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' and n > 0",
    ),
];

/// Fails with every breach of every invariant.
pub(crate) async fn hold(database: &Database) {
    let store = Store::open(StoreOptions::new(database.url.clone())).unwrap();
    let found = store.look_once(Reach::All).await.unwrap();
    store.close().await;
    let mut breaches = Vec::new();
    for found in found {
        assert!(found.complete, "{} was not finished", found.check.name);
        let name = format!("{}: {}", found.check.name, found.check.means);
        breaches.extend(
            found
                .examples
                .iter()
                .map(|example| format!("{name}: {example}")),
        );
    }
    for (what, sql) in ONLY_HERE {
        let found: Vec<Option<String>> = sqlx::query_scalar(AssertSqlSafe(*sql))
            .fetch_all(&database.pool)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let found = found.into_iter().map(Option::unwrap_or_default);
        breaches.extend(found.map(|row| format!("{what}: {row}")));
    }
    assert!(
        breaches.is_empty(),
        "in {}:\n{}",
        database.name,
        breaches.join("\n")
    );
}
