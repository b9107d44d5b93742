//! Claims: order, times, slots, giving back.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use stepwell_queue::Committed;

use crate::harness::{PATIENCE, until};
use crate::queue::world::{Hand, World, changes, completed, new_run, options, released};

#[tokio::test]
async fn two_workers_never_hold_the_same_run() {
    let world = World::new().await;
    let batch: Vec<_> = (0..600).map(|_| new_run()).collect();
    world.store.enqueue_batch(batch, None).await.unwrap();
    let other = world.other();
    let (mut a, mut b) = (Hand::new(&world.store).await, Hand::new(&other).await);
    let mut seen = HashSet::new();
    while seen.len() < 600 {
        let (hand, claimed) = tokio::select! {
            claimed = a.next() => (&a, claimed),
            claimed = b.next() => (&b, claimed),
        };
        assert!(seen.insert(claimed.header.id), "claimed twice");
        let mut done = changes(&claimed, 1);
        done.end = Some(completed(1.into()));
        let committer = hand.worker.committer();
        tokio::spawn(async move { committer.commit(done).await });
    }
    world
        .until(
            "select count(*) from stepwell.run where status = 'completed'",
            600,
        )
        .await;
    world.until("select count(*) from stepwell.job", 0).await;
    other.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_higher_priority_is_claimed_first_and_slots_are_kept() {
    let world = World::new().await;
    let mut batch: Vec<_> = (0..50).map(|_| new_run()).collect();
    batch[49].priority = 100;
    let urgent = batch[49].id;
    world.store.enqueue_batch(batch, None).await.unwrap();
    let mut hand = Hand::with(
        &world.store,
        stepwell_queue::worker::WorkerOptions {
            slots: 5,
            ..options()
        },
    )
    .await;
    assert_eq!(hand.next().await.header.id, urgent);
    for _ in 0..4 {
        hand.next().await;
    }
    assert!(hand.idle(Duration::from_millis(700)).await);
    let leased = "select count(*) from stepwell.job where state = 'leased'";
    assert_eq!(world.db.number(leased).await, 5);
    world.end().await;
}

#[tokio::test]
async fn a_released_run_comes_back_at_its_time() {
    let world = World::new().await;
    let mut hand = Hand::with(
        &world.store,
        stepwell_queue::worker::WorkerOptions {
            poll: Duration::from_secs(30),
            ..options()
        },
    )
    .await;
    world.store.enqueue(new_run()).await.unwrap();
    let claimed = hand.next().await;
    let begun = Instant::now();
    let wait = Duration::from_millis(400);
    let mut release = changes(&claimed, 1);
    release.started_at = Some(chrono::Utc::now());
    release.end = Some(released(Some(chrono::Utc::now() + wait)));
    assert_eq!(
        hand.worker.committer().commit(release).await,
        Committed::Done
    );
    let again = hand.next().await;
    let waited = begun.elapsed();
    assert!(
        waited >= wait && waited < wait + Duration::from_millis(300),
        "{waited:?}"
    );
    assert_eq!(again.header.id, claimed.header.id);
    assert_eq!(again.header.sequence, claimed.header.sequence + 1);
    assert!(again.header.started_at.is_some());
    world.end().await;
}

#[tokio::test]
async fn a_timed_run_of_another_process_is_claimed_when_due() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    let mut run = new_run();
    run.run_at = Some(chrono::Utc::now() + chrono::TimeDelta::milliseconds(700));
    let due = run.run_at.unwrap();
    world.store.enqueue(run).await.unwrap();
    hand.next().await;
    let late = chrono::Utc::now() - due;
    assert!(
        late >= chrono::TimeDelta::zero() && late.num_milliseconds() < 400,
        "{late}"
    );
    world.end().await;
}

#[tokio::test]
async fn what_was_claimed_and_not_begun_is_given_back() {
    let world = World::new().await;
    let batch: Vec<_> = (0..50).map(|_| new_run()).collect();
    world.store.enqueue_batch(batch, None).await.unwrap();
    let mut hand = Hand::new(&world.store).await;
    hand.next().await;
    hand.stop.cancel();
    world
        .until(
            "select count(*) from stepwell.job where state = 'ready'",
            49,
        )
        .await;
    hand.worker.retire().await;
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.job where state = 'ready'")
            .await,
        50
    );
    assert_eq!(world.db.number("select count(*) from stepwell.worker where status = 'gone' and freed_at is not null").await, 1);
    assert_eq!(
        world
            .db
            .number("select max(deaths)::bigint from stepwell.job")
            .await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn a_draining_worker_claims_nothing_more() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    world
        .db
        .run("update stepwell.worker set status = 'draining'")
        .await;
    hand.worker.draining().cancelled().await;
    world.store.enqueue(new_run()).await.unwrap();
    assert!(hand.idle(Duration::from_millis(800)).await);
    world.end().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_read_fails_instead_of_looping() {
    let world = World::new().await;
    let run = new_run();
    world.store.enqueue(run.clone()).await.unwrap();
    world
        .db
        .run("update stepwell.run set input = '{\"n\":1e999}'")
        .await;
    let _hand = Hand::new(&world.store).await;
    world.until("select count(*) from stepwell.run where status = 'failed' and error->>'type' = 'corrupt'", 1).await;
    assert_eq!(
        world.db.number("select count(*) from stepwell.job").await,
        0
    );
    let failed = "select count(*) from stepwell.audit where action = 'run.failed' and sequence = 2";
    assert_eq!(world.db.number(failed).await, 1);
    world.end().await;
}

#[tokio::test]
async fn new_work_is_heard_of_across_processes() {
    let world = World::new().await;
    let other = world.other();
    let mut hand = Hand::with(
        &world.store,
        stepwell_queue::worker::WorkerOptions {
            poll: Duration::from_secs(60),
            ..options()
        },
    )
    .await;
    // The listener must be there before the word.
    world.until("select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'", 1).await;
    // The first may be found by the claim that follows the listener's start, the others may not.
    for _ in 0..5 {
        let begun = Instant::now();
        other.enqueue(new_run()).await.unwrap();
        hand.next().await;
        let heard_after = begun.elapsed();
        assert!(heard_after < Duration::from_secs(2), "{heard_after:?}");
    }
    other.close().await;
    world.end().await;
}

#[tokio::test]
async fn an_old_run_that_wakes_does_not_wait_for_the_backlog() {
    let world = World::new().await;
    let mut hand = Hand::with(
        &world.store,
        stepwell_queue::worker::WorkerOptions {
            slots: 20,
            ..options()
        },
    )
    .await;
    world.store.enqueue(new_run()).await.unwrap();
    let old = hand.next().await;
    let mut park = changes(&old, 1);
    park.end = Some(released(None));
    hand.worker.committer().commit(park).await;
    let batch: Vec<_> = (0..10_000).map(|_| new_run()).collect();
    world.store.enqueue_batch(batch, None).await.unwrap();
    let mut sent_at = None;
    for n in 0..10_000 {
        let claimed = hand.next().await;
        if claimed.header.id == old.header.id {
            let waited = sent_at.map(|at: Instant| at.elapsed());
            assert!(
                waited.is_some_and(|w| w < Duration::from_secs(3)),
                "{waited:?}"
            );
            world.end().await;
            return;
        }
        if n == 200 {
            let word = stepwell_queue::inbox::Word::Pause;
            let actor = crate::queue::world::actor();
            world.store.send(old.header.id, word, actor).await.unwrap();
            sent_at = Some(Instant::now());
        }
        let mut done = changes(&claimed, 1);
        done.end = Some(completed(1.into()));
        let committer = hand.worker.committer();
        tokio::spawn(async move { committer.commit(done).await });
    }
    panic!("the whole backlog came first");
}

/// Holds a snapshot until the transaction ends.
async fn hold_snapshot(world: &World) -> sqlx::Transaction<'_, sqlx::Postgres> {
    let mut holder = world.db.pool.begin().await.unwrap();
    for sql in [
        "set transaction isolation level repeatable read",
        "select count(*) from stepwell.job",
    ] {
        sqlx::query(sql).execute(&mut *holder).await.unwrap();
    }
    holder
}

#[tokio::test]
async fn a_held_snapshot_does_not_slow_the_claim() {
    let world = World::new().await;
    let holder = hold_snapshot(&world).await;
    let mut hand = Hand::with(
        &world.store,
        stepwell_queue::worker::WorkerOptions {
            slots: 500,
            ..options()
        },
    )
    .await;
    for _ in 0..2 {
        let batch: Vec<_> = (0..8_000).map(|_| new_run()).collect();
        world.store.enqueue_batch(batch, None).await.unwrap();
        for _ in 0..8_000 {
            let mut done = changes(&hand.next().await, 1);
            done.end = Some(completed(1.into()));
            let committer = hand.worker.committer();
            tokio::spawn(async move { committer.commit(done).await });
        }
    }
    let counters = world.store.counters();
    let (full, all) = (counters.full_scans.get(), counters.claims.get());
    assert!(
        full * 2 < all,
        "{full} of {all} claims walked over every dead row"
    );
    holder.rollback().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn what_lies_behind_many_dead_rows_is_found() {
    let world = World::new().await;
    let holder = hold_snapshot(&world).await;
    // As many as come through in some seconds; the index keeps an entry for each.
    for sql in [
        "insert into stepwell.job (run_id, queue, state)
         select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', 'ready' from generate_series(1, 400000) n",
        "delete from stepwell.job",
    ] {
        world.db.run(sql).await;
    }
    let mut hand = Hand::new(&world.store).await;
    let counters = world.store.counters();
    let first = new_run();
    world.store.enqueue(first.clone()).await.unwrap();
    assert_eq!(hand.next().await.header.id, first.id);
    until("full scans are dear", PATIENCE, async || {
        (counters.slices.get() > 0).then_some(())
    })
    .await;
    // Behind the floor: of an urgent rank, of an old id, and timed for long ago.
    let (mut urgent, mut old, mut late) = (new_run(), new_run(), new_run());
    urgent.priority = 100;
    old.id = uuid::Uuid::from_u128(old.id.as_u128() - (60_000 << 80));
    late.run_at = Some(chrono::Utc::now() + chrono::TimeDelta::days(1));
    let wanted = HashSet::from([urgent.id, old.id, late.id]);
    let timed = late.id;
    let full = counters.full_scans.get();
    for run in [urgent, old, late] {
        world.store.enqueue(run).await.unwrap();
    }
    world
        .db
        .run(&format!(
            "update stepwell.job set run_at = now() - interval '1 hour' where run_id = '{timed}'"
        ))
        .await;
    let mut found = HashSet::new();
    while found.len() < wanted.len() {
        found.insert(hand.next().await.header.id);
    }
    assert_eq!(found, wanted);
    let more = counters.full_scans.get() - full;
    assert!(more < 5, "{more} scans walked over the dead rows meanwhile");
    // With the snapshot and the dead rows gone, all is as it was.
    holder.rollback().await.unwrap();
    world.db.run("vacuum stepwell.job").await;
    // Full scans are tried every thirty seconds at least.
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let before = counters.slices.get();
        let next = new_run();
        world.store.enqueue(next.clone()).await.unwrap();
        let claimed = hand.next().await;
        assert_eq!(claimed.header.id, next.id);
        let mut done = changes(&claimed, 1);
        done.end = Some(completed(1.into()));
        assert_eq!(hand.worker.committer().commit(done).await, Committed::Done);
        if counters.slices.get() == before && counters.full_scans.get() > full + 5 {
            break;
        }
        assert!(Instant::now() < deadline, "it still reads slices");
    }
    world.end().await;
}
