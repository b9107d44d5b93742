//! Migrations: there and back, many at once, and a schema from the future.

use stepwell_queue::Error;
use stepwell_queue::migrate::Standing;

use crate::harness::Database;
use crate::world::open;

#[tokio::test]
async fn up_down_up() {
    let db = Database::empty().await;
    let store = open(&db.url);
    assert_eq!(store.standing().await.unwrap(), Standing::Behind);
    let up = store.migrate_up().await.unwrap();
    assert!(!up.is_empty());
    assert_eq!(store.standing().await.unwrap(), Standing::Current);
    assert!(store.migrate_up().await.unwrap().is_empty());
    let shape = "select string_agg(c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ',' order by c.relname, a.attnum)
                 from pg_class c join pg_attribute a on a.attrelid = c.oid
                 where c.relnamespace = 'stepwell'::regnamespace and a.attnum > 0 and not a.attisdropped";
    let first = db.text(shape).await;
    let mut down = store.migrate_down(usize::MAX).await.unwrap();
    down.reverse();
    assert_eq!(down, up);
    let left = "select count(*) from pg_class where relnamespace = 'stepwell'::regnamespace and relkind in ('r', 'p')";
    assert_eq!(db.number(left).await, 1, "only the history is left");
    let left = "select count(*) from pg_proc where pronamespace = 'stepwell'::regnamespace";
    assert_eq!(db.number(left).await, 0);
    assert_eq!(store.migrate_up().await.unwrap(), up);
    assert_eq!(db.text(shape).await, first);
    assert!(
        store
            .migrations()
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied)
    );
    store.close().await;
    db.drop_it().await;
}

#[tokio::test]
async fn eight_migrators_at_once_apply_it_once() {
    let db = Database::empty().await;
    let migrators: Vec<_> = (0..8)
        .map(|_| {
            let store = open(&db.url);
            tokio::spawn(async move { store.migrate_up().await.unwrap().len() })
        })
        .collect();
    let mut applied = Vec::new();
    for migrator in migrators {
        applied.push(migrator.await.unwrap());
    }
    assert_eq!(applied.iter().filter(|n| **n > 0).count(), 1, "{applied:?}");
    db.drop_it().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_in_plain_words() {
    let db = Database::empty().await;
    let store = open(&db.url);
    store.migrate_up().await.unwrap();
    db.run("insert into stepwell.migration values (999, 'later', '2030-01-01T00:00:00Z', '1')")
        .await;
    assert_eq!(store.standing().await.unwrap(), Standing::Ahead);
    let Err(Error::Schema(words)) = store.migrate_up().await else {
        panic!("it was not refused")
    };
    assert!(words.contains("999") && words.contains("newer"), "{words}");
    let Err(Error::Schema(words)) = store.migrate_down(1).await else {
        panic!("it was not refused")
    };
    assert!(words.contains("999"), "{words}");
    assert!(
        store
            .migrations()
            .await
            .unwrap()
            .iter()
            .any(|step| step.version == 999)
    );
    store.close().await;
    db.drop_it().await;
}

#[tokio::test]
async fn partitions_are_made_ahead_and_strays_raise_an_alarm() {
    let db = Database::empty().await;
    let store = open(&db.url);
    store.migrate_up().await.unwrap();
    let ahead = "select count(*) from pg_class where relnamespace = 'stepwell'::regnamespace
                 and relname in ('run_' || to_char(now() at time zone 'utc' + interval '7 days', 'YYYYMMDD'),
                                 'step_' || to_char(now() at time zone 'utc', 'YYYYMMDD'),
                                 'audit_' || to_char(now() at time zone 'utc' - interval '1 day', 'YYYYMMDD'))";
    assert_eq!(db.number(ahead).await, 3);
    assert_eq!(store.maintain_once().await.unwrap(), 0);
    db.run("do $$ begin execute 'drop table stepwell.step_' || to_char(now() at time zone 'utc' + interval '3 days', 'YYYYMMDD'); end $$").await;
    assert_eq!(store.maintain_once().await.unwrap(), 1);
    assert!(store.partition_alarm().await.unwrap().is_empty());
    let mut run = crate::world::new_run();
    run.id = uuid::Uuid::nil();
    store.enqueue(run).await.unwrap();
    assert_eq!(store.partition_alarm().await.unwrap(), ["run_default"]);
    store.close().await;
    db.drop_it().await;
}
