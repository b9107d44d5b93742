//! The feed: everything exactly once, whoever commits when; single runs by their numbers.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use stepwell_queue::feed::Cursor;
use stepwell_queue::{Committed, Store};
use uuid::Uuid;

use crate::harness::{PATIENCE, until};
use crate::queue::world::{Hand, World, changes, completed, new_run, record};

/// Reads until nothing is left; checks that pages are bounded and that cursors survive as text.
async fn read_all(store: &Store, cursor: &mut Cursor, limit: usize) -> Vec<(Uuid, i64)> {
    let mut read = Vec::new();
    loop {
        let page = store.records_after(cursor, limit).await.unwrap();
        assert!(page.records.len() <= limit);
        read.extend(
            page.records
                .iter()
                .map(|fed| (fed.record.entity_id, fed.record.sequence)),
        );
        *cursor = page.cursor.to_string().parse().unwrap();
        if !page.more {
            return read;
        }
    }
}

fn insert(entity_id: Uuid, sequence: i64) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, actor)
         values ('{}', 'run', '{entity_id}', {sequence}, 'run.noted', 'tester')",
        Uuid::now_v7()
    ))
}

#[tokio::test]
async fn what_commits_late_is_neither_lost_nor_repeated() {
    let world = World::new().await;
    let store = &world.store;
    let mut long = PgConnection::connect(&world.db.url).await.unwrap();
    let mut quick = PgConnection::connect(&world.db.url).await.unwrap();
    let (late, soon) = (Uuid::now_v7(), Uuid::now_v7());
    // Under way before anybody listens.
    long.execute("begin").await.unwrap();
    long.execute(insert(late, 1)).await.unwrap();
    let mut cursor = store.feed_now().await.unwrap();
    quick.execute(insert(soon, 1)).await.unwrap();
    assert_eq!(read_all(store, &mut cursor, 10).await, [(soon, 1)]);
    long.execute(insert(late, 2)).await.unwrap();
    quick.execute(insert(soon, 2)).await.unwrap();
    assert_eq!(read_all(store, &mut cursor, 10).await, [(soon, 2)]);
    assert_eq!(read_all(store, &mut cursor, 10).await, []);
    long.execute("commit").await.unwrap();
    quick.execute(insert(soon, 3)).await.unwrap();
    assert_eq!(
        read_all(store, &mut cursor, 1).await,
        [(late, 1), (late, 2), (soon, 3)]
    );
    // Taken back: nobody hears of it.
    long.execute("begin").await.unwrap();
    long.execute(insert(late, 3)).await.unwrap();
    assert_eq!(read_all(store, &mut cursor, 10).await, []);
    long.execute("rollback").await.unwrap();
    assert_eq!(read_all(store, &mut cursor, 10).await, []);
    world.end().await;
}

#[tokio::test]
async fn many_writers_and_small_pages_give_each_record_once_and_in_order() {
    const WRITERS: u64 = 6;
    const TRANSACTIONS: u64 = 40;
    let world = World::new().await;
    let mut cursor = world.store.feed_now().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let url = world.db.url.clone();
        writers.spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let entities = [Uuid::now_v7(), Uuid::now_v7()];
            for n in 0..TRANSACTIONS {
                connection.execute("begin").await.unwrap();
                for (entity_id, sequence) in [(0, 2 * n), (1, n), (0, 2 * n + 1)] {
                    let sequence = i64::try_from(sequence).unwrap() + 1;
                    connection
                        .execute(insert(entities[entity_id], sequence))
                        .await
                        .unwrap();
                }
                // Transactions of all lengths, so that they end in another order than they began.
                let ms = (n * 7 + writer * 11) % 23;
                connection
                    .execute(AssertSqlSafe(format!("select pg_sleep({}e-3)", ms)))
                    .await
                    .unwrap();
                let end = if (n + writer) % 9 == 8 {
                    "rollback"
                } else {
                    "commit"
                };
                connection.execute(end).await.unwrap();
            }
            entities
        });
    }
    let mut read = Vec::new();
    let mut entities = Vec::new();
    while entities.len() < 2 * WRITERS as usize {
        read.extend(read_all(&world.store, &mut cursor, 7).await);
        while let Some(ended) = writers.try_join_next() {
            entities.extend(ended.unwrap());
        }
    }
    read.extend(read_all(&world.store, &mut cursor, 7).await);
    let mut last: HashMap<Uuid, i64> = HashMap::new();
    for (entity_id, sequence) in &read {
        let before = last.insert(*entity_id, *sequence).unwrap_or_default();
        assert!(before < *sequence, "{entity_id}: {sequence} after {before}");
    }
    let written = world
        .db
        .number("select count(*) from stepwell.audit where action = 'run.noted'")
        .await;
    assert_eq!(read.len() as i64, written);
    world.end().await;
}

#[tokio::test]
async fn a_cursor_of_another_database_begins_anew_at_its_time() {
    let world = World::new().await;
    let run = new_run();
    world.store.enqueue(run.clone()).await.unwrap();
    // Records that a dump brought along, of transactions that are far ahead of this server's: one from before the
    // cursor's time, and one after it.
    let (old, unread) = (Uuid::now_v7(), Uuid::now_v7());
    for (entity, at) in [(old, "now() - interval '1 hour'"), (unread, "now()")] {
        world
            .db
            .run(&format!(
                "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, actor, xid, at)
                 values ('{}', 'run', '{entity}', 1, 'run.noted', 'tester', '800000000000', {at})",
                Uuid::now_v7()
            ))
            .await;
    }
    let ahead = format!(
        "{}:900000000000:",
        (chrono::Utc::now() - chrono::TimeDelta::minutes(1)).timestamp_micros()
    );
    let mut cursor: Cursor = ahead.parse().unwrap();
    let page = world.store.records_after(&cursor, 10).await.unwrap();
    assert!(page.anew);
    let mut read = read_all(&world.store, &mut cursor, 1).await;
    read.sort_unstable();
    let mut expected = vec![(run.id, 1), (unread, 1)];
    expected.sort_unstable();
    assert_eq!(read, expected);
    // From here on this database's own order counts.
    let later = new_run();
    world.store.enqueue(later.clone()).await.unwrap();
    assert_eq!(
        read_all(&world.store, &mut cursor, 10).await,
        [(later.id, 1)]
    );
    world.end().await;
}

#[tokio::test]
async fn a_poll_reads_the_tail_and_not_the_day() {
    let world = World::new().await;
    // A day's history, in the pages of its partition.
    world
        .db
        .run(
            "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, actor, at)
             select stepwell.uuid7_bound(now()), 'run', gen_random_uuid(), 1, 'run.noted', 'tester',
                    now() - make_interval(secs => (300000 - n) / 10.0 + 60)
             from generate_series(1, 300000) as n",
        )
        .await;
    world.db.run("analyze stepwell.audit").await;
    let pages = world
        .db
        .number("select sum(pg_relation_size(c.oid) / 8192)::bigint from pg_class c where c.relname ~ '^audit_2[0-9]{7}$'")
        .await;
    assert!(pages > 3_000, "{pages}");
    let mut cursor = world.store.feed_now().await.unwrap();
    let mut writer = PgConnection::connect(&world.db.url).await.unwrap();
    writer.execute(insert(Uuid::now_v7(), 1)).await.unwrap();
    // The first reading has the pages summed up.
    assert_eq!(read_all(&world.store, &mut cursor, 100).await.len(), 1);
    let from: Cursor = cursor.clone();
    for n in 2..=4 {
        writer.execute(insert(Uuid::now_v7(), n)).await.unwrap();
    }
    let sql = include_str!("../../../queue/queries/feed/window.sql");
    let seen = from.to_string();
    let next = seen.split(':').nth(1).unwrap().to_owned();
    let seen = format!("{next}:{next}:");
    let now = world
        .db
        .text("select pg_current_snapshot()::text")
        .await
        .unwrap();
    let body = sql
        .replace("$10", "false")
        .replace("$1", &format!("'{seen}'"))
        .replace("$2", &format!("'{now}'"))
        .replace("$3", "(now() - interval '20 seconds')")
        .replace("$4", "stepwell.uuid7_bound(now() - interval '1 day')")
        .replace("$5", "'9999-12-31'")
        .replace("$6", "(now() - interval '20 seconds')")
        .replace("$7", "'00000000-0000-0000-0000-000000000000'::uuid")
        .replace("$8", "0")
        .replace("$9", "100");
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "explain (analyze, buffers, costs off, timing off) {body}"
    )))
    .fetch_all(&mut writer)
    .await
    .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("Bitmap Index Scan on audit_2"), "{plan}");
    let touched: i64 = plan
        .lines()
        .find_map(|line| line.trim().strip_prefix("Buffers: shared hit="))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    assert!(touched < pages / 10, "{touched} of {pages} pages\n{plan}");
    world.end().await;
}

#[tokio::test]
async fn a_run_is_followed_by_its_numbers_until_its_end() {
    let world = World::new().await;
    let other = world.other();
    let run = new_run();
    let mut watch = other.watch(run.id, 0).unwrap();
    world.store.enqueue(run.clone()).await.unwrap();
    let mut hand = Hand::new(&world.store).await;
    let claimed = hand.next().await;
    let committer = hand.worker.committer();
    // More than a buffer holds, while nobody reads.
    for batch in 0..3 {
        let mut noted = changes(&claimed, 0);
        noted.records = (2..=101)
            .map(|n| record(batch * 100 + n, "run.noted"))
            .collect();
        noted.sequence = batch * 100 + 101;
        assert_eq!(committer.commit(noted).await, Committed::Done);
    }
    let mut late = other.watch(run.id, 250).unwrap();
    for n in 251..=301 {
        let watched = late.next().await.unwrap();
        assert_eq!((watched.record.sequence, watched.last), (n, false));
    }
    for n in 1..=301 {
        assert_eq!(watch.next().await.unwrap().record.sequence, n);
    }
    let mut end = changes(&claimed, 0);
    end.records = vec![record(302, "run.completed")];
    end.sequence = 302;
    end.end = Some(completed("done".into()));
    assert_eq!(committer.commit(end).await, Committed::Done);
    for watch in [&mut watch, &mut late] {
        let watched = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap();
        let watched = watched.unwrap();
        assert_eq!((watched.record.sequence, watched.last), (302, true));
        assert_eq!(watched.record.workflow_name.as_deref(), Some("test"));
    }
    let mut again = other.watch(run.id, 301).unwrap();
    assert!(again.next().await.unwrap().last);
    other.close().await;
    let closed = tokio::time::timeout(PATIENCE, again.next()).await.unwrap();
    assert!(closed.is_none(), "closing ends every stream");
    world.end().await;
}

#[tokio::test]
async fn everybody_who_follows_everything_hears_it_once() {
    let world = World::new().await;
    let other = world.other();
    let mut early = other.tail(None).await.unwrap().unwrap();
    let begin = other.feed_now().await.unwrap();
    let runs: Vec<_> = (0..20).map(|_| new_run()).collect();
    for run in &runs[..10] {
        world.store.enqueue(run.clone()).await.unwrap();
    }
    // One that comes later and reads from the beginning, and one that begins now.
    let mut resumed = other.tail(Some(begin)).await.unwrap().unwrap();
    let mut late = other.tail(None).await.unwrap().unwrap();
    for run in &runs[10..] {
        world.store.enqueue(run.clone()).await.unwrap();
    }
    for (tail, from) in [(&mut early, 0), (&mut resumed, 0), (&mut late, 10)] {
        for run in &runs[from..] {
            let fed = tokio::time::timeout(PATIENCE, tail.next()).await.unwrap();
            assert_eq!(fed.unwrap().unwrap().record.entity_id, run.id);
        }
        let more = tokio::time::timeout(Duration::from_millis(400), tail.next()).await;
        assert!(more.is_err(), "and nothing else");
    }
    drop((early, resumed, late));
    until("nobody is told any more", PATIENCE, async || {
        let before = world.store.counters().notifies.get();
        world.store.enqueue(new_run()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Of the work, but of nothing else.
        (world.store.counters().notifies.get() <= before + 1).then_some(())
    })
    .await;
    other.close().await;
    world.end().await;
}
