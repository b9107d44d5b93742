//! Odd text goes in and comes out, or is shown as what Postgres can hold.

use std::sync::Arc;

use serde_json::value::RawValue;
use stepwell_queue::inbox::Word;
use stepwell_queue::{Actor, Committed, Enqueued, Sent};
use stepwell_workflow::StepStatus;

use crate::queue::world::{Hand, World, changes, completed, key, new_run, step};

const ODD: &str = "a\0b \u{202e}\u{feff}\u{10ffff} \u{1f986} ' \" \\ \n {} $1 ${x} Ω\u{301}";

#[tokio::test]
async fn nul_and_odd_unicode_travel_everywhere() {
    let world = World::new().await;
    let mut run = new_run();
    let json = serde_json::json!({ ODD: [ODD, "\u{0}"] });
    run.input = RawValue::from_string(json.to_string()).unwrap().into();
    run.queue = Arc::from("qu\u{1f986}");
    run.workflow_name = Arc::from(ODD);
    run.labels.insert(ODD.into(), ODD.into());
    run.dedupe_key = Some(ODD.into());
    run.actor = Actor {
        name: ODD.into(),
        request_id: Some(ODD.into()),
        traceparent: Some(ODD.into()),
    };
    run.idempotency = Some(key(ODD, "a"));
    assert!(matches!(
        world.store.enqueue(run.clone()).await.unwrap(),
        Enqueued::Created
    ));
    assert!(matches!(
        world.store.enqueue(run.clone()).await.unwrap(),
        Enqueued::Replayed(_)
    ));
    let mut batch = run.clone();
    batch.id = uuid::Uuid::now_v7();
    batch.dedupe_key = Some(format!("{ODD}2"));
    world
        .store
        .enqueue_batch(vec![batch], Some(key(&format!("{ODD}3"), "a")))
        .await
        .unwrap();

    let mut options = crate::queue::world::options();
    options.queues = vec!["qu\u{1f986}".into()];
    options.name = ODD.into();
    let mut hand = Hand::with(&world.store, options).await;
    let claimed = hand.next().await;
    assert_eq!(*claimed.header.input, json);
    let word = Word::Signal {
        name: ODD.into(),
        payload: json.clone(),
    };
    let sent = world
        .store
        .send(claimed.header.id, word.clone(), run.actor.clone())
        .await
        .unwrap();
    assert_eq!(sent, Sent::Accepted);
    let messages = world.store.messages(&[claimed.header.id]).await.unwrap();
    assert_eq!(messages[0].1.word, word);

    let mut done = changes(&claimed, 1);
    done.records[0].step = Some(ODD.into());
    done.records[0].detail = Some(json.clone());
    done.records[0].actor = Some(ODD.into());
    done.steps = vec![step(0, StepStatus::Completed, false)];
    done.steps[0].snapshot.name = ODD.into();
    done.steps[0].snapshot.output = Some(Arc::new(json.clone()));
    done.consumed = vec![messages[0].1.id];
    done.end = Some(completed(json));
    assert_eq!(hand.worker.committer().commit(done).await, Committed::Done);
    let shown = ODD.replace('\0', "\u{fffd}");
    assert_eq!(
        world.db.text("select name from stepwell.step").await,
        Some(shown)
    );
    world.end().await;
}
