//! Dead workers: fenced, rescued, counted.

use std::time::Duration;

use stepwell_queue::Committed;
use stepwell_workflow::StepStatus;

use crate::queue::world::{Hand, World, changes, completed, new_run, options, released, step};

#[tokio::test]
async fn a_worker_marked_dead_writes_nothing() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    for _ in 0..2 {
        world.store.enqueue(new_run()).await.unwrap();
    }
    let (finishing, releasing) = (hand.next().await, hand.next().await);
    world
        .db
        .run("update stepwell.worker set status = 'dead', ended_at = now()")
        .await;
    let committer = hand.worker.committer();
    let mut done = changes(&finishing, 1);
    done.steps = vec![step(0, StepStatus::Completed, false)];
    done.end = Some(completed(1.into()));
    assert_eq!(committer.commit(done).await, Committed::Fenced);
    let mut release = changes(&releasing, 1);
    release.children = vec![new_run()];
    release.end = Some(released(None));
    assert_eq!(committer.commit(release).await, Committed::Fenced);
    hand.worker.fenced().cancelled().await;
    let db = &world.db;
    assert_eq!(db.number("select count(*) from stepwell.step").await, 0);
    assert_eq!(db.number("select count(*) from stepwell.run").await, 2);
    assert_eq!(
        db.number("select count(*) from stepwell.run where finished_at is not null")
            .await,
        0
    );
    assert_eq!(
        db.number("select count(*) from stepwell.audit where action <> 'run.created'")
            .await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn the_mark_waits_for_commits_in_flight_and_later_ones_find_no_owner() {
    let world = World::new().await;
    let options = stepwell_queue::worker::WorkerOptions {
        slots: 2_000,
        ..options()
    };
    let mut hand = Hand::with(&world.store, options).await;
    let batch: Vec<_> = (0..1_000).map(|_| new_run()).collect();
    world.store.enqueue_batch(batch, None).await.unwrap();
    let mut calls = Vec::new();
    for n in 0..1_000 {
        let claimed = hand.next().await;
        let committer = hand.worker.committer();
        calls.push(tokio::spawn(async move {
            let mut done = changes(&claimed, 1);
            done.end = Some(completed(n.into()));
            committer.commit(done).await
        }));
        if n == 500 {
            // As a rescuer does it.
            world
                .db
                .run("with w as materialized (select id from stepwell.worker for update)
                      update stepwell.worker k set status = 'dead', ended_at = now() from w where k.id = w.id")
                .await;
            world.db.run("create table seen as select id from stepwell.run where finished_at is not null").await;
            break;
        }
    }
    let mut done = 0;
    for call in calls {
        done += i64::from(call.await.unwrap() == Committed::Done);
    }
    let finished = "select count(*) from stepwell.run where finished_at is not null";
    assert_eq!(
        world.db.number(finished).await,
        done,
        "what was answered is what is written"
    );
    assert_eq!(
        world.db.number("select count(*) from seen").await,
        done,
        "nothing is written after the mark"
    );
    world.end().await;
}

#[tokio::test]
async fn a_silent_worker_is_rescued_and_its_deaths_are_counted() {
    let world = World::new().await;
    world.store.enqueue(new_run()).await.unwrap();
    let mut survivor = None;
    for death in 0..3 {
        // A process that is killed: its runtime goes, and with it all its tasks.
        let url = world.db.url.clone();
        let sequence = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let store = crate::queue::world::open(&url);
                let mut hand = Hand::new(&store).await;
                let claimed = hand.next().await;
                assert_eq!(claimed.deaths, death);
                // Written, but not on the job row.
                let noted = changes(&claimed, 2);
                assert_eq!(hand.worker.committer().commit(noted).await, Committed::Done);
                claimed.header.sequence + 2
            })
        })
        .join()
        .unwrap();
        let mut options = options();
        options.queues = vec!["nothing".into()];
        survivor = Some(Hand::with(&world.store, options).await);
        let freed = format!(
            "select count(*) from stepwell.job where state = 'ready' and deaths = {}",
            death + 1
        );
        world.until(&freed, 1).await;
        assert_eq!(
            world.db.number("select sequence from stepwell.job").await,
            sequence
        );
    }
    world
        .until(
            "select count(*) from stepwell.worker where status = 'dead' and freed_at is not null",
            3,
        )
        .await;
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.audit where action = 'worker.died'")
            .await,
        3
    );
    let mut hand = Hand::new(&world.store).await;
    let claimed = hand.next().await;
    assert_eq!(claimed.deaths, 3);
    let mut release = changes(&claimed, 0);
    release.end = Some(released(None));
    assert_eq!(
        hand.worker.committer().commit(release).await,
        Committed::Done
    );
    assert_eq!(
        world
            .db
            .number("select deaths::bigint from stepwell.job")
            .await,
        0,
        "it came through"
    );
    drop(survivor);
    world.end().await;
}

#[tokio::test]
async fn a_living_worker_is_left_alone_and_its_heartbeat_gets_through_its_commits() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    let other = world.other();
    let _watcher = Hand::new(&other).await;
    world.store.enqueue(new_run()).await.unwrap();
    let claimed = tokio::time::timeout(Duration::from_secs(5), hand.next()).await;
    if let Ok(claimed) = claimed {
        let committer = hand.worker.committer();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_secs(4) {
            let noted = changes(&claimed, 0);
            assert_eq!(committer.commit(noted).await, Committed::Done);
        }
    }
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.worker where status = 'alive'")
            .await,
        2
    );
    other.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_driver_that_breaks_gives_its_run_back_with_a_death() {
    use apalis_core::backend::Backend as _;
    use apalis_core::task::{Parts, task_id::TaskId};
    use apalis_core::worker::ext::ack::Acknowledge as _;
    use tower::Layer as _;

    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    world.store.enqueue(new_run()).await.unwrap();
    let claimed = hand.next().await;
    hand.stop.cancel();
    let backend = hand.worker.backend(hand.stop.clone());
    // The layer keeps its acknowledger to itself; this is the one that it clones.
    let _service = backend.middleware().layer(());
    let mut acknowledgement = backend.acknowledgement();
    let parts = Parts {
        task_id: Some(TaskId::new(claimed.header.id)),
        ..Parts::default()
    };
    acknowledgement.ack(&Ok(()), &parts).await.unwrap();
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.job where state = 'leased'")
            .await,
        1
    );
    acknowledgement
        .ack(&Err::<(), _>("boom".into()), &parts)
        .await
        .unwrap();
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.job where state = 'ready' and deaths = 1")
            .await,
        1
    );
    world.end().await;
}
