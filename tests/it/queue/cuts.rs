//! Every connection is cut again and again while runs are driven: nothing is lost, nothing is written
//! twice, no number is missing.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use stepwell_queue::{Claimed, Committed, Committer};
use stepwell_workflow::StepStatus;

use crate::queue::world::{Hand, World, changes, completed, new_run, options, step};

/// Runs that are added before each cut.
const RUNS: i64 = 150;
const STEPS: u16 = 3;
const CUTS: usize = 12;
const COMPLETED: &str = "select count(*) from stepwell.run where status = 'completed'";
const CUT: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
      and application_name like 'stepwell %'";

/// Goes on from what is stored. A commit whose outcome is unknown ends it: somebody takes the run up.
async fn drive(claimed: Claimed, committer: Committer) {
    let done: HashSet<_> = claimed.steps.iter().map(|s| s.key.step).collect();
    let mut sequence = claimed.header.sequence;
    for n in (0..STEPS).filter(|n| !done.contains(n)) {
        let mut one = changes(&claimed, 1);
        sequence += 1;
        one.records[0].sequence = sequence;
        one.sequence = sequence;
        if claimed.header.started_at.is_none() && n == 0 {
            one.started_at = Some(chrono::Utc::now());
        }
        one.steps = vec![step(n, StepStatus::Completed, false)];
        match committer.commit(one).await {
            Committed::Done => {}
            Committed::Unknown => return,
            other => panic!("{other:?}"),
        }
    }
    let mut last = changes(&claimed, 1);
    sequence += 1;
    last.records[0].sequence = sequence;
    last.sequence = sequence;
    last.end = Some(completed(1.into()));
    match committer.commit(last).await {
        Committed::Done | Committed::Unknown => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_again_and_again_lose_nothing() {
    let world = World::new().await;
    let slots = stepwell_queue::worker::WorkerOptions {
        slots: 200,
        dead_after: Duration::from_secs(20),
        ..options()
    };
    let mut hand = Hand::with(&world.store, slots).await;
    let committer = hand.worker.committer();
    let driving = async {
        loop {
            let claimed = hand.next().await;
            tokio::spawn(drive(claimed, committer.clone()));
        }
    };
    let enqueued = AtomicI64::new(0);
    let cutting = async {
        let mut cuts = 0;
        // As often as it takes for a cut to meet a commit in flight.
        while cuts < CUTS || world.store.counters().unknown_commits.get() == 0 {
            let batch: Vec<_> = (0..RUNS).map(|_| new_run()).collect();
            // The pool may hand out a connection that was cut a moment ago.
            while world
                .store
                .enqueue_batch(batch.clone(), None)
                .await
                .is_err()
            {}
            let before = enqueued.fetch_add(RUNS, Ordering::Relaxed);
            world.until_at_least(COMPLETED, before + RUNS / 2).await;
            world.db.run(CUT).await;
            cuts += 1;
        }
        world
            .until(COMPLETED, enqueued.load(Ordering::Relaxed))
            .await;
    };
    tokio::select! {
        () = driving => {}
        () = cutting => {}
    }
    let db = &world.db;
    assert_eq!(db.number("select count(*) from stepwell.job").await, 0);
    let steps = "select count(*) from stepwell.step where status = 'completed'";
    assert_eq!(
        db.number(steps).await,
        enqueued.load(Ordering::Relaxed) * i64::from(STEPS)
    );
    let gaps = "select count(*) from (
        select entity_id, count(*) as n, count(distinct sequence) as d, max(sequence) as m
        from stepwell.audit where entity_type in ('run', 'step') group by entity_id) a
        where n <> m or d <> m or m <> 5";
    assert_eq!(db.number(gaps).await, 0);
    assert_eq!(hand.worker.held(), 0);
    world.end().await;
}
