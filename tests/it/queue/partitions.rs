//! Partitions of days to come, and the default partition's alarm.

use stepwell_queue::Committed;

use super::world::{Hand, World, changes, completed, new_run};

#[tokio::test]
async fn partitions_are_made_ahead_and_strays_raise_an_alarm() {
    let World { db, store } = World::new().await;
    let ahead = "select count(*) from pg_class where relnamespace = 'stepwell'::regnamespace
                 and relname in ('run_' || to_char(now() at time zone 'utc' + interval '3 days', 'YYYYMMDD'),
                                 'step_' || to_char(now() at time zone 'utc', 'YYYYMMDD'),
                                 'audit_' || to_char(now() at time zone 'utc' - interval '1 day', 'YYYYMMDD'))";
    // The template may have been made before midnight.
    store.maintain_once().await.unwrap();
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

/// Makes a day of long ago, with one run in it.
async fn old_day(world: &World, days: i64) -> uuid::Uuid {
    let at = chrono::Utc::now() - chrono::Duration::days(days);
    let name = at.format("%Y%m%d");
    for parent in ["run", "step", "audit"] {
        let day = at.format("%Y-%m-%d 00:00Z");
        world
            .db
            .run(&format!(
                "create table stepwell.{parent}_{name} partition of stepwell.{parent}
                 for values from (stepwell.uuid7_bound('{day}'))
                              to (stepwell.uuid7_bound('{day}'::timestamptz + interval '1 day'))"
            ))
            .await;
    }
    let mut run = new_run();
    let millis = u64::try_from(at.timestamp_millis()).unwrap();
    run.id = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
    run.created_at = at;
    world.store.enqueue(run.clone()).await.unwrap();
    run.id
}

#[tokio::test]
async fn runs_of_different_days_are_claimed_and_ended_together() {
    let world = World::new().await;
    let mut expected = vec![
        old_day(&world, 40).await,
        old_day(&world, 3).await,
        new_run().id,
    ];
    let mut today = new_run();
    today.id = expected[2];
    world.store.enqueue(today).await.unwrap();
    let mut hand = Hand::new(&world.store).await;
    let mut ends = Vec::new();
    let mut claimed = Vec::new();
    for _ in &expected {
        let run = hand.next().await;
        assert_eq!(*run.header.workflow_name, *"test");
        assert_eq!(run.header.input.to_string(), r#"{"n":1}"#);
        claimed.push(run.header.id);
        let mut last = changes(&run, 1);
        last.end = Some(completed("done".into()));
        ends.push(hand.worker.committer().commit(last));
    }
    claimed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(claimed, expected);
    for end in futures::future::join_all(ends).await {
        assert_eq!(end, Committed::Done);
    }
    let over = "select count(*) from stepwell.run where status = 'completed' and sequence = 2";
    assert_eq!(world.db.number(over).await, 3);
    assert_eq!(
        world.db.number("select count(*) from stepwell.job").await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn who_locks_another_day_holds_nobody_up() {
    let world = World::new().await;
    let old = old_day(&world, 40).await;
    world
        .db
        .run(&format!("delete from stepwell.job where run_id = '{old}'"))
        .await;
    let other = sqlx::PgPool::connect(&world.db.url).await.unwrap();
    let mut locking = other.begin().await.unwrap();
    for parent in ["run", "step"] {
        let name = (chrono::Utc::now() - chrono::Duration::days(40)).format("%Y%m%d");
        let lock = format!("lock table stepwell.{parent}_{name} in access exclusive mode");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
            .execute(&mut *locking)
            .await
            .unwrap();
    }
    // More than go by arrays, and one by itself.
    let mut hand = Hand::new(&world.store).await;
    for runs in [300, 1] {
        for _ in 0..runs {
            world.store.enqueue(new_run()).await.unwrap();
        }
        let mut ends = Vec::new();
        for _ in 0..runs {
            let run = hand.next().await;
            let mut last = changes(&run, 1);
            last.end = Some(completed("done".into()));
            ends.push(hand.worker.committer().commit(last));
        }
        for end in futures::future::join_all(ends).await {
            assert_eq!(end, Committed::Done);
        }
    }
    locking.rollback().await.unwrap();
    let over = "select count(*) from stepwell.run where status = 'completed'";
    assert_eq!(world.db.number(over).await, 301);
    other.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_run_of_a_day_without_partitions_is_driven_all_the_same() {
    let world = World::new().await;
    let mut run = new_run();
    run.id = uuid::Builder::from_unix_timestamp_millis(86_400_000, &[7; 10]).into_uuid();
    world.store.enqueue(run.clone()).await.unwrap();
    let mut hand = Hand::new(&world.store).await;
    let claimed = hand.next().await;
    assert_eq!(claimed.header.id, run.id);
    let mut last = changes(&claimed, 1);
    last.end = Some(completed("done".into()));
    assert_eq!(hand.worker.committer().commit(last).await, Committed::Done);
    let over = "select count(*) from stepwell.run_default where status = 'completed'";
    assert_eq!(world.db.number(over).await, 1);
    world.end().await;
}

#[tokio::test]
async fn days_leave_whole_unless_a_run_of_them_is_not_over() {
    let world = World::new().await;
    let (over, open) = (old_day(&world, 40).await, old_day(&world, 41).await);
    let young = old_day(&world, 20).await;
    world
        .db
        .run(&format!(
            "delete from stepwell.job where run_id in ('{over}', '{young}')"
        ))
        .await;
    assert_eq!(
        world.store.retain().await.unwrap(),
        0,
        "for ever, unless told otherwise"
    );
    let mut options = stepwell_queue::store::StoreOptions::new(world.db.url.clone());
    options.retention = stepwell_queue::retention::Retention {
        run_days: Some(30),
        audit_days: Some(100),
    };
    let store = stepwell_queue::Store::open(options).unwrap();
    assert!(store.run(over).await.unwrap().is_some());
    assert_eq!(store.retain().await.unwrap(), 2);
    assert!(store.run(over).await.unwrap().is_none());
    assert!(store.run(open).await.unwrap().is_some());
    let there = |id| format!("select count(*) from stepwell.run where id = '{id}'");
    for (id, count) in [(over, 0), (open, 1), (young, 1)] {
        assert_eq!(world.db.number(&there(id)).await, count, "{id}");
    }
    let told = "select count(*) from stepwell.audit where action = 'run.created'";
    assert_eq!(world.db.number(told).await, 3, "records outlive their runs");
    world.db.run("delete from stepwell.job").await;
    assert_eq!(store.retain().await.unwrap(), 2);
    assert_eq!(store.retain().await.unwrap(), 0);
    assert_eq!(world.db.number(&there(open)).await, 0);
    store.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_day_that_somebody_reads_leaves_later_and_holds_nobody_up() {
    let world = World::new().await;
    let id = old_day(&world, 40).await;
    world.db.run("delete from stepwell.job").await;
    let mut options = stepwell_queue::store::StoreOptions::new(world.db.url.clone());
    options.retention.run_days = Some(30);
    let store = stepwell_queue::Store::open(options).unwrap();
    let reader = sqlx::PgPool::connect(&world.db.url).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    let look = sqlx::AssertSqlSafe(format!("select from stepwell.run where id = '{id}'"));
    sqlx::query(look).fetch_one(&mut *reading).await.unwrap();
    assert_eq!(store.retain().await.unwrap(), 0);
    reading.rollback().await.unwrap();
    assert_eq!(store.retain().await.unwrap(), 2);
    store.close().await;
    reader.close().await;
    world.end().await;
}
