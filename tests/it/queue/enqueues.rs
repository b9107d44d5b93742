//! Enqueueing: groups, batches, keys.

use std::sync::Arc;

use serde_json::value::RawValue;
use stepwell_queue::{Enqueued, Error};

use crate::queue::world::{World, key, new_run};

#[tokio::test]
async fn a_group_with_conflicts_lets_the_rest_through() {
    let world = World::new().await;
    let (mut first, mut held) = (new_run(), new_run());
    first.idempotency = Some(key("k", "a"));
    held.dedupe_key = Some("d".into());
    for run in [&first, &held] {
        let enqueued = world.store.enqueue(run.clone()).await.unwrap();
        assert!(matches!(enqueued, Enqueued::Created));
    }
    let mut calls = Vec::new();
    for n in 0..200 {
        let mut run = new_run();
        match n % 4 {
            0 => run.idempotency = Some(key("k", "a")),
            1 => run.idempotency = Some(key("k", "other")),
            2 => run.dedupe_key = Some("d".into()),
            _ => {}
        }
        let store = world.store.clone();
        calls.push((
            n,
            tokio::spawn(async move { store.enqueue(run).await.unwrap() }),
        ));
    }
    for (n, call) in calls {
        match (n % 4, call.await.unwrap()) {
            (0, Enqueued::Replayed(answer)) => {
                assert_eq!(answer.status, 202);
                assert_eq!(answer.body.get(), r#"{"request":"a"}"#);
            }
            (1, Enqueued::KeyReused) | (3, Enqueued::Created) => {}
            (2, Enqueued::Duplicate { run_id }) => assert_eq!(run_id, held.id),
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    for table in ["run", "job"] {
        let count = format!("select count(*) from stepwell.{table}");
        assert_eq!(world.db.number(&count).await, 52);
    }
    let created =
        "select count(*) from stepwell.audit where action = 'run.created' and sequence = 1";
    assert_eq!(world.db.number(created).await, 52);
    let batches = world.store.counters().enqueue_batches.get();
    assert!(batches < 52, "{batches} transactions for 52 runs");
    world.end().await;
}

#[tokio::test]
async fn one_key_used_at_once_by_many_creates_one_run() {
    let world = World::new().await;
    let other = world.other();
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let store = if n % 2 == 0 {
                world.store.clone()
            } else {
                other.clone()
            };
            let mut run = new_run();
            run.idempotency = Some(key("same", "a"));
            run.dedupe_key = Some("same".into());
            tokio::spawn(async move { store.enqueue(run).await.unwrap() })
        })
        .collect();
    let mut created = 0;
    for call in calls {
        match call.await.unwrap() {
            Enqueued::Created => created += 1,
            Enqueued::Replayed(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(created, 1);
    assert_eq!(
        world.db.number("select count(*) from stepwell.run").await,
        1
    );
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.dedupe")
            .await,
        1
    );
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.idempotency")
            .await,
        1
    );
    other.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_key_is_not_spent_on_a_run_that_another_key_refused() {
    let world = World::new().await;
    let mut first = new_run();
    first.dedupe_key = Some("d".into());
    world.store.enqueue(first.clone()).await.unwrap();
    let mut second = new_run();
    second.dedupe_key = Some("d".into());
    second.idempotency = Some(key("k", "a"));
    let refused = world.store.enqueue(second).await.unwrap();
    assert!(matches!(refused, Enqueued::Duplicate { run_id } if run_id == first.id));
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.idempotency")
            .await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn only_the_guilty_row_of_a_group_is_refused() {
    let world = World::new().await;
    let taken = new_run();
    world.store.enqueue(taken.clone()).await.unwrap();
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let mut run = new_run();
            if n == 20 {
                run.id = taken.id;
            }
            let store = world.store.clone();
            tokio::spawn(async move { store.enqueue(run).await })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        match call.await.unwrap() {
            Ok(Enqueued::Created) => assert_ne!(n, 20),
            Err(Error::Refused(_)) => assert_eq!(n, 20),
            other => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(
        world.db.number("select count(*) from stepwell.run").await,
        40
    );
    world.end().await;
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let world = World::new().await;
    let mut taken = new_run();
    taken.dedupe_key = Some("d".into());
    world.store.enqueue(taken.clone()).await.unwrap();
    let mut batch: Vec<_> = (0..5_000).map(|_| new_run()).collect();
    batch[4_321].dedupe_key = Some("d".into());
    let refused = world
        .store
        .enqueue_batch(batch.clone(), Some(key("b", "1")))
        .await
        .unwrap();
    assert!(matches!(refused, Enqueued::Duplicate { run_id } if run_id == taken.id));
    assert_eq!(
        world.db.number("select count(*) from stepwell.run").await,
        1
    );

    batch[4_321].dedupe_key = None;
    for n in 0..2 {
        let done = world
            .store
            .enqueue_batch(batch.clone(), Some(key("b", "1")))
            .await
            .unwrap();
        match n {
            0 => assert!(matches!(done, Enqueued::Created)),
            _ => assert!(matches!(done, Enqueued::Replayed(_))),
        }
    }
    let other = world
        .store
        .enqueue_batch(batch, Some(key("b", "2")))
        .await
        .unwrap();
    assert!(matches!(other, Enqueued::KeyReused));
    assert_eq!(
        world.db.number("select count(*) from stepwell.job").await,
        5_001
    );
    world.end().await;
}

#[tokio::test]
async fn a_batch_with_one_dedupe_key_twice_is_refused() {
    let world = World::new().await;
    let mut batch = vec![new_run(), new_run()];
    for run in &mut batch {
        run.dedupe_key = Some("d".into());
    }
    let first = batch[0].id;
    let refused = world.store.enqueue_batch(batch, None).await.unwrap();
    assert!(matches!(refused, Enqueued::Duplicate { run_id } if run_id == first));
    world.end().await;
}

#[tokio::test]
async fn a_later_run_waits_in_the_queue_of_times() {
    let world = World::new().await;
    let mut run = new_run();
    run.run_at = Some(chrono::Utc::now() + chrono::TimeDelta::hours(1));
    run.input = Arc::from(RawValue::from_string("null".into()).unwrap());
    world.store.enqueue(run).await.unwrap();
    let timed = "select count(*) from stepwell.job where state = 'timed' and run_at is not null";
    assert_eq!(world.db.number(timed).await, 1);
    world.end().await;
}
