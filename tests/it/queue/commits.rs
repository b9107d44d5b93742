//! The group commit: what it writes, and who hears what.

use std::time::Duration;

use stepwell_queue::inbox::Word;
use stepwell_queue::{Changes, Committed, End};
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::{StepKey, StepStatus};

use crate::queue::world::{
    Hand, World, actor, changes, completed, new_run, options, released, step,
};

#[tokio::test]
async fn a_run_from_claim_to_finish_leaves_everything_in_its_place() {
    let world = World::new().await;
    let mut hints = world.store.hints();
    let mut run = new_run();
    run.awaited = true;
    run.dedupe_key = Some("d".into());
    world.store.enqueue(run.clone()).await.unwrap();
    let mut hand = Hand::new(&world.store).await;
    let claimed = hand.next().await;
    assert_eq!(claimed.header.sequence, 1);
    let committer = hand.worker.committer();

    let mut first = changes(&claimed, 2);
    first.started_at = Some(chrono::Utc::now());
    first.steps = vec![step(0, StepStatus::Running, false)];
    assert_eq!(committer.commit(first).await, Committed::Done);

    let mut last = changes(&claimed, 4);
    last.records.drain(..2);
    last.steps = vec![
        step(0, StepStatus::Completed, true),
        step(1, StepStatus::Completed, false),
    ];
    last.end = Some(completed("done".into()));
    assert_eq!(committer.commit(last).await, Committed::Done);

    let db = &world.db;
    assert_eq!(db.number("select count(*) from stepwell.job").await, 0);
    assert_eq!(db.number("select count(*) from stepwell.dedupe").await, 0);
    assert_eq!(
        db.number("select count(*) from stepwell.run where status = 'completed' and output::text = '\"done\"'
                   and started_at is not null and sequence = 5").await,
        1
    );
    assert_eq!(
        db.number("select count(*) from stepwell.step where status = 'completed'")
            .await,
        2
    );
    let gapless =
        "select count(*) from (select sequence, row_number() over (order by sequence) as n
                   from stepwell.audit where entity_type in ('run', 'step')) a where sequence = n";
    assert_eq!(db.number(gapless).await, 5);
    let ended = async {
        loop {
            if let Ok(stepwell_queue::listen::Hint::Ended { run_ids }) = hints.recv().await {
                return run_ids;
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(5), ended)
        .await
        .unwrap();
    assert_eq!(ended, [run.id]);
    assert_eq!(hand.worker.held(), 0);
    world.end().await;
}

#[tokio::test]
async fn only_the_guilty_run_of_a_commit_is_refused() {
    let world = World::new().await;
    let batch: Vec<_> = (0..60).map(|_| new_run()).collect();
    world.store.enqueue_batch(batch, None).await.unwrap();
    let mut hand = Hand::new(&world.store).await;
    let mut calls = Vec::new();
    for n in 0..60 {
        let claimed = hand.next().await;
        let mut done = changes(&claimed, 1);
        done.steps = vec![step(0, StepStatus::Completed, false)];
        if n == 30 {
            // The same row twice.
            done.steps.push(step(0, StepStatus::Completed, false));
        }
        done.end = Some(completed(n.into()));
        let committer = hand.worker.committer();
        calls.push((n, tokio::spawn(async move { committer.commit(done).await })));
    }
    for (n, call) in calls {
        match call.await.unwrap() {
            Committed::Done => assert_ne!(n, 30),
            Committed::Refused(reason) => {
                assert_eq!(n, 30);
                assert!(reason.contains("duplicate key"), "{reason}");
            }
            other => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.run where status = 'completed'")
            .await,
        59
    );
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.job where state = 'leased'")
            .await,
        1
    );
    world.end().await;
}

#[tokio::test]
async fn a_child_runs_and_its_parent_hears_of_its_end() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    world.store.enqueue(new_run()).await.unwrap();
    let parent = hand.next().await;
    let key = StepKey {
        step: 1,
        item: Some(4),
    };
    let mut child = new_run();
    child.parent = Some(Parent {
        run_id: parent.header.id,
        key,
        generation: 1,
    });
    let mut begin = changes(&parent, 1);
    begin.children = vec![child.clone()];
    begin.end = Some(released(None));
    assert_eq!(hand.worker.committer().commit(begin).await, Committed::Done);

    let claimed = hand.next().await;
    assert_eq!(claimed.header.id, child.id);
    assert_eq!(claimed.header.parent, child.parent);
    let mut end = changes(&claimed, 1);
    end.end = Some(End::Finished {
        status: stepwell_workflow::RunStatus::Completed,
        output: Some(std::sync::Arc::new(7.into())),
        error: None,
        finished_at: chrono::Utc::now(),
        cancelled_by: None,
        cancel_reason: None,
        parent: claimed.header.parent.clone(),
    });
    assert_eq!(hand.worker.committer().commit(end).await, Committed::Done);

    let woken = hand.next().await;
    assert_eq!(woken.header.id, parent.header.id);
    assert_eq!(woken.messages.len(), 1);
    assert_eq!(
        woken.messages[0].word,
        Word::ChildEnded {
            step: 1,
            item: Some(4),
            child_run_id: child.id,
            result: Ok(7.into())
        }
    );
    let mut done = changes(&woken, 1);
    done.consumed = vec![woken.messages[0].id];
    done.end = Some(completed(1.into()));
    assert_eq!(hand.worker.committer().commit(done).await, Committed::Done);
    assert_eq!(
        world.db.number("select count(*) from stepwell.inbox").await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn children_and_parents_that_end_at_once_do_not_wedge() {
    let world = World::new().await;
    let options = stepwell_queue::worker::WorkerOptions {
        slots: 1_000,
        ..options()
    };
    let mut hand = Hand::with(&world.store, options).await;
    let batch: Vec<_> = (0..100).map(|_| new_run()).collect();
    world.store.enqueue_batch(batch, None).await.unwrap();
    let mut parents = Vec::new();
    for _ in 0..100 {
        parents.push(hand.next().await);
    }
    let children: Vec<_> = parents
        .iter()
        .map(|parent| {
            let mut child = new_run();
            let key = StepKey {
                step: 0,
                item: None,
            };
            child.parent = Some(Parent {
                run_id: parent.header.id,
                key,
                generation: 1,
            });
            child
        })
        .collect();
    world.store.enqueue_batch(children, None).await.unwrap();
    let mut calls = Vec::new();
    for parent in parents {
        let child = hand.next().await;
        let committer = hand.worker.committer();
        let mut end = changes(&child, 1);
        end.end = Some(End::Finished {
            status: stepwell_workflow::RunStatus::Cancelled,
            output: None,
            error: None,
            finished_at: chrono::Utc::now(),
            cancelled_by: None,
            cancel_reason: None,
            parent: child.header.parent.clone(),
        });
        let mut done = changes(&parent, 1);
        done.messages = vec![(child.header.id, Word::Cancel { reason: None }, actor())];
        done.end = Some(completed(1.into()));
        for changes in [end, done] {
            let committer = committer.clone();
            calls.push(tokio::spawn(async move { committer.commit(changes).await }));
        }
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), Committed::Done);
    }
    assert_eq!(
        world.db.number("select count(*) from stepwell.job").await,
        0
    );
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.run where finished_at is null")
            .await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn a_broken_connection_makes_the_outcome_unknown_and_the_run_comes_back() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    world.store.enqueue(new_run()).await.unwrap();
    let claimed = hand.next().await;
    // The commit waits for this lock while its connection is cut.
    let mut blocker = world.db.pool.begin().await.unwrap();
    sqlx::query("select from stepwell.job for update")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let committer = hand.worker.committer();
    let mut done = changes(&claimed, 1);
    done.end = Some(completed(1.into()));
    let call = tokio::spawn(async move { committer.commit(done).await });
    world.until("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", 1).await;
    world
        .db
        .run(
            "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock'",
        )
        .await;
    assert_eq!(call.await.unwrap(), Committed::Unknown);
    blocker.rollback().await.unwrap();
    let again = hand.next().await;
    assert_eq!(again.header.id, claimed.header.id);
    assert_eq!(again.header.sequence, 1, "nothing was written");
    let mut done = changes(&again, 1);
    done.end = Some(completed(1.into()));
    assert_eq!(hand.worker.committer().commit(done).await, Committed::Done);
    assert_eq!(
        world
            .db
            .number("select epoch::bigint from stepwell.worker")
            .await,
        2
    );
    world.end().await;
}

#[tokio::test]
async fn commits_of_one_run_keep_their_order() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    world.store.enqueue(new_run()).await.unwrap();
    let claimed = hand.next().await;
    let committer = hand.worker.committer();
    let mut calls = Vec::new();
    for n in 0..50_u16 {
        let mut one = Changes {
            sequence: 1,
            ..changes(&claimed, 0)
        };
        one.steps = vec![step(0, StepStatus::Running, n > 0)];
        one.steps[0].snapshot.attempt = u32::from(n) + 1;
        calls.push(committer.commit(one));
    }
    for done in futures::future::join_all(calls).await {
        assert_eq!(done, Committed::Done);
    }
    assert_eq!(
        world
            .db
            .number("select attempt::bigint from stepwell.step")
            .await,
        50
    );
    world.end().await;
}
