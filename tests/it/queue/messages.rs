//! The inbox: sending, the race with parking, cancelling at once, retrying.

use std::time::Duration;

use stepwell_queue::inbox::Word;
use stepwell_queue::{Committed, End, Retried, Sent};
use stepwell_workflow::{Failure, RunStatus};
use uuid::Uuid;

use crate::queue::world::{Hand, World, actor, changes, completed, new_run, released};

fn signal(n: usize) -> Word {
    Word::Signal {
        name: "go".into(),
        payload: n.into(),
    }
}

#[tokio::test]
async fn no_message_is_lost_between_a_release_and_a_send() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    let other = world.other();
    let run = new_run();
    world.store.enqueue(run.clone()).await.unwrap();
    const MESSAGES: usize = 300;
    let sender = tokio::spawn(async move {
        for n in 0..MESSAGES {
            assert_eq!(
                other.send(run.id, signal(n), actor()).await.unwrap(),
                Sent::Accepted
            );
            if n % 7 == 0 {
                // Time for the driver to park in between.
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
        other.close().await;
    });
    // A driver that takes in what it was given and parks at once, over and over.
    let mut heard = Vec::new();
    while heard.len() < MESSAGES {
        let claimed = hand.next().await;
        let mut release = changes(&claimed, 1);
        for message in &claimed.messages {
            release.consumed.push(message.id);
            let Word::Signal { payload, .. } = &message.word else {
                panic!("{message:?}")
            };
            heard.push(payload.as_u64().unwrap() as usize);
        }
        release.end = Some(released(None));
        assert_eq!(
            hand.worker.committer().commit(release).await,
            Committed::Done
        );
    }
    sender.await.unwrap();
    assert_eq!(heard, (0..MESSAGES).collect::<Vec<_>>());
    assert!(hand.idle(Duration::from_millis(600)).await);
    assert_eq!(
        world
            .db
            .number("select count(*) from stepwell.job where state = 'parked' and messages = 0")
            .await,
        1
    );
    assert_eq!(
        world.db.number("select count(*) from stepwell.inbox").await,
        0
    );
    world.end().await;
}

#[tokio::test]
async fn a_driver_hears_of_messages_to_its_run() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    let run = new_run();
    world.store.enqueue(run.clone()).await.unwrap();
    hand.next().await;
    let mut watch = hand.worker.watch_inbox(run.id);
    assert_eq!(
        world.store.send(run.id, signal(1), actor()).await.unwrap(),
        Sent::Accepted
    );
    tokio::time::timeout(Duration::from_millis(900), watch.recv())
        .await
        .unwrap()
        .unwrap();
    let messages = world.store.messages(&[run.id]).await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].1.actor, actor());
    // Without any hint the poll finds it.
    let mut watch = hand.worker.watch_inbox(run.id);
    tokio::time::timeout(Duration::from_millis(900), watch.recv())
        .await
        .unwrap()
        .unwrap();
    world.end().await;
}

#[tokio::test]
async fn sending_to_nobody_and_to_the_dead_is_said_so() {
    let world = World::new().await;
    let nobody = world
        .store
        .send(Uuid::now_v7(), Word::Pause, actor())
        .await
        .unwrap();
    assert_eq!(nobody, Sent::NotFound);
    let mut hand = Hand::new(&world.store).await;
    let run = new_run();
    world.store.enqueue(run.clone()).await.unwrap();
    let mut done = changes(&hand.next().await, 1);
    done.end = Some(completed(1.into()));
    hand.worker.committer().commit(done).await;
    for word in [Word::Pause, Word::Cancel { reason: None }] {
        let over = world.store.send(run.id, word, actor()).await.unwrap();
        assert_eq!(over, Sent::Over(RunStatus::Completed));
    }
    world.end().await;
}

#[tokio::test]
async fn a_run_that_nobody_began_is_cancelled_at_once() {
    let world = World::new().await;
    let mut run = new_run();
    run.dedupe_key = Some("d".into());
    run.run_at = Some(chrono::Utc::now() + chrono::TimeDelta::days(1));
    world.store.enqueue(run.clone()).await.unwrap();
    let word = || Word::Cancel {
        reason: Some("not needed".into()),
    };
    assert_eq!(
        world.store.send(run.id, word(), actor()).await.unwrap(),
        Sent::Cancelled
    );
    let again = world.store.send(run.id, word(), actor()).await.unwrap();
    assert_eq!(again, Sent::Over(RunStatus::Cancelled));
    let db = &world.db;
    assert_eq!(db.number("select count(*) from stepwell.job").await, 0);
    assert_eq!(db.number("select count(*) from stepwell.dedupe").await, 0);
    assert_eq!(
        db.number("select count(*) from stepwell.run where status = 'cancelled' and cancelled_by = 'tester'
                   and cancel_reason = 'not needed' and sequence = 2").await,
        1
    );
    assert_eq!(
        db.number(
            "select count(*) from stepwell.audit where action = 'run.cancelled' and sequence = 2
                   and actor = 'tester' and detail->>'reason' = 'not needed'"
        )
        .await,
        1
    );
    world.end().await;
}

#[tokio::test]
async fn cancelling_and_claiming_at_once_ends_in_one_of_the_two() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    let other = world.other();
    let mut claimed = 0;
    for _ in 0..60 {
        let run = new_run();
        world.store.enqueue(run.clone()).await.unwrap();
        let sent = other
            .send(run.id, Word::Cancel { reason: None }, actor())
            .await
            .unwrap();
        if sent == Sent::Accepted {
            let mut run = hand.next().await;
            if run.messages.is_empty() {
                run.messages = world
                    .store
                    .messages(&[run.header.id])
                    .await
                    .unwrap()
                    .into_iter()
                    .map(|(_, m)| m)
                    .collect();
            }
            let mut done = changes(&run, 1);
            done.consumed = run.messages.iter().map(|m| m.id).collect();
            done.end = Some(completed(1.into()));
            assert_eq!(hand.worker.committer().commit(done).await, Committed::Done);
            claimed += 1;
        } else {
            assert_eq!(sent, Sent::Cancelled);
        }
    }
    let cancelled = "select count(*) from stepwell.run where status = 'cancelled'";
    assert_eq!(world.db.number(cancelled).await, 60 - claimed);
    assert_eq!(
        world.db.number("select count(*) from stepwell.job").await,
        0
    );
    other.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_failed_run_gets_a_next_generation() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    let run = new_run();
    assert_eq!(
        world
            .store
            .retry(run.id, None, false, actor())
            .await
            .unwrap(),
        Retried::NotFound
    );
    world.store.enqueue(run.clone()).await.unwrap();
    let claimed = hand.next().await;
    let early = world
        .store
        .retry(run.id, None, false, actor())
        .await
        .unwrap();
    assert_eq!(early, Retried::NotOver(RunStatus::Pending));
    let mut failed = changes(&claimed, 2);
    failed.steps = vec![crate::queue::world::step(
        0,
        stepwell_workflow::StepStatus::Completed,
        false,
    )];
    failed.end = Some(End::Finished {
        status: RunStatus::Failed,
        output: None,
        error: Some(Failure::fatal("agent_error", "no")),
        finished_at: chrono::Utc::now(),
        cancelled_by: None,
        cancel_reason: None,
        parent: None,
    });
    hand.worker.committer().commit(failed).await;
    // A message that crossed with the end must not reach the next generation.
    world
        .db
        .run(&format!(
            "insert into stepwell.inbox (run_id, kind, actor) values ('{}', 'cancel', 'late')",
            run.id
        ))
        .await;

    let retried = world
        .store
        .retry(run.id, Some("step_0".into()), true, actor())
        .await
        .unwrap();
    assert_eq!(retried, Retried::Accepted { generation: 2 });
    let again = world
        .store
        .retry(run.id, None, false, actor())
        .await
        .unwrap();
    assert_eq!(again, Retried::NotOver(RunStatus::Pending));
    let claimed = hand.next().await;
    assert_eq!((claimed.header.generation, claimed.header.sequence), (2, 4));
    assert_eq!(claimed.steps.len(), 1);
    assert_eq!(claimed.messages.len(), 1);
    assert_eq!(
        claimed.messages[0].word,
        Word::Retry {
            from_step: Some("step_0".into()),
            reset: true
        }
    );
    let mut done = changes(&claimed, 1);
    done.consumed = vec![claimed.messages[0].id];
    done.end = Some(completed(1.into()));
    assert_eq!(hand.worker.committer().commit(done).await, Committed::Done);
    assert_eq!(
        world
            .store
            .retry(run.id, None, false, actor())
            .await
            .unwrap(),
        Retried::Completed
    );
    world.end().await;
}
