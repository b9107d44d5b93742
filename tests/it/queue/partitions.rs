//! Partitions of days to come, and the default partition's alarm.

use super::world::{World, new_run};

#[tokio::test]
async fn partitions_are_made_ahead_and_strays_raise_an_alarm() {
    let World { db, store } = World::new().await;
    let ahead = "select count(*) from pg_class where relnamespace = 'stepwell'::regnamespace
                 and relname in ('run_' || to_char(now() at time zone 'utc' + interval '3 days', 'YYYYMMDD'),
                                 'step_' || to_char(now() at time zone 'utc', 'YYYYMMDD'),
                                 'audit_' || to_char(now() at time zone 'utc' - interval '1 day', 'YYYYMMDD'))";
    assert_eq!(db.number(ahead).await, 3);
    assert_eq!(store.maintain_once().await.unwrap(), 0);
    db.run("do $$ begin execute 'drop table stepwell.step_' || to_char(now() at time zone 'utc' + interval '2 days', 'YYYYMMDD'); end $$").await;
    assert_eq!(store.maintain_once().await.unwrap(), 1);
    assert!(store.partition_alarm().await.unwrap().is_empty());
    let mut run = new_run();
    run.id = uuid::Uuid::nil();
    store.enqueue(run).await.unwrap();
    assert_eq!(store.partition_alarm().await.unwrap(), ["run_default"]);
    store.close().await;
    db.drop_it().await;
}
