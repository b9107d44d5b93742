//! Large commits, whose rows are copied: they write what small ones write.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stepwell_queue::commit::StepWrite;
use stepwell_queue::{Changes, Claimed, Committed};
use stepwell_workflow::{Failure, Record, StepKey, StepStatus};
use uuid::Uuid;

use crate::queue::world::{Hand, World, changes, completed, new_run, options, record, step};

/// Records beyond which a commit of one run is copied.
const MANY: i64 = 300;

/// A row in which every column holds something, beside one in which few do.
fn steps() -> Vec<StepWrite> {
    let mut full = step(1, StepStatus::Failed, false);
    full.snapshot.name = "späť \"\\ 漢".into();
    full.snapshot.key = StepKey {
        step: 1,
        item: Some(7),
    };
    full.snapshot.output = None;
    full.snapshot.error = Some(Failure::fatal("broken", "tab\tand \u{0} too"));
    full.snapshot.wake_at = Some(chrono::DateTime::UNIX_EPOCH);
    full.snapshot.child_run_id = Some(Uuid::nil());
    let mut bare = step(2, StepStatus::Skipped, false);
    bare.snapshot.input = None;
    bare.snapshot.started_at = None;
    let value = json!({"text": "\u{0}\u{1f600}", "n": [1, 2.5, null]});
    let mut rich = step(0, StepStatus::Completed, false);
    rich.snapshot.output = Some(Arc::new(value));
    for write in [&mut full, &mut bare, &mut rich] {
        write.snapshot.finished_at = Some(chrono::DateTime::UNIX_EPOCH);
        write.snapshot.started_at = write
            .snapshot
            .started_at
            .map(|_| chrono::DateTime::UNIX_EPOCH);
    }
    vec![rich, full, bare]
}

fn told(claimed: &Claimed, records: i64) -> Changes {
    let mut told = changes(claimed, records);
    told.records[0] = Record {
        step: Some("späť".into()),
        before: Some("running"),
        after: Some("completed"),
        detail: Some(json!({"why": "\u{0}"})),
        actor: Some("somebody".into()),
        request_id: Some("r-1".into()),
        ..record(claimed.header.sequence + 1, "step.completed")
    };
    told.steps = steps();
    told.started_at = Some(chrono::DateTime::UNIX_EPOCH);
    told.end = Some(completed(json!({"text": "\u{0}"})));
    told
}

#[tokio::test]
async fn a_copied_commit_writes_what_a_statement_writes() {
    let world = World::new().await;
    for _ in 0..2 {
        world.store.enqueue(new_run()).await.unwrap();
    }
    let mut hand = Hand::new(&world.store).await;
    let (small, large) = (hand.next().await, hand.next().await);
    let committer = hand.worker.committer();
    assert_eq!(committer.commit(told(&small, 3)).await, Committed::Done);
    assert_eq!(committer.commit(told(&large, MANY)).await, Committed::Done);

    let (small, large) = (small.header.id, large.header.id);
    let db = &world.db;
    for (table, key, columns) in [
        (
            "step",
            "run_id",
            "child_run_id, worker_id, started_at, finished_at, wake_at, item, generation, status, step, attempt,
             max_attempts, name, kind, input::text, output::text, error::text",
        ),
        (
            "audit",
            "sequence between 2 and 4 and entity_id",
            "sequence, entity_type, step, action, before::text, after::text, detail::text, actor, request_id",
        ),
        (
            "run",
            "id",
            "status, generation, output::text, started_at, cancelled_by",
        ),
    ] {
        let of = |id: Uuid| format!("select {columns} from stepwell.{table} where {key} = '{id}'");
        let (one, other) = (of(small), of(large));
        let differing = format!(
            "select count(*) from (({one} except all {other}) union all ({other} except all {one})) d"
        );
        assert_eq!(db.number(&differing).await, 0, "{table}");
    }
    let rows = |id: Uuid| format!("select count(*) from stepwell.step where run_id = '{id}'");
    assert_eq!(db.number(&rows(large)).await, 3);
    let records = format!(
        "select count(*) from stepwell.audit
         where entity_id = '{large}' and sequence > 1 and at > now() - interval '1 minute'
           and xid <= pg_current_xact_id()"
    );
    assert_eq!(db.number(&records).await, MANY);
    assert_eq!(db.number("select count(*) from stepwell.job").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_worker_marked_dead_copies_nothing() {
    let world = World::new().await;
    let mut hand = Hand::new(&world.store).await;
    world.store.enqueue(new_run()).await.unwrap();
    let claimed = hand.next().await;
    world
        .db
        .run("update stepwell.worker set status = 'dead', ended_at = now()")
        .await;
    let committer = hand.worker.committer();
    assert_eq!(
        committer.commit(told(&claimed, MANY)).await,
        Committed::Fenced
    );
    let db = &world.db;
    assert_eq!(db.number("select count(*) from stepwell.step").await, 0);
    let written = "select count(*) from stepwell.audit where action <> 'run.created'";
    assert_eq!(db.number(written).await, 0);
    let open = "select count(*) from stepwell.run where finished_at is null";
    assert_eq!(db.number(open).await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_copy_that_is_refused_writes_nothing_and_spoils_nothing() {
    let world = World::new().await;
    for _ in 0..2 {
        world.store.enqueue(new_run()).await.unwrap();
    }
    let mut hand = Hand::new(&world.store).await;
    let (guilty, next) = (hand.next().await, hand.next().await);
    let committer = hand.worker.committer();
    let mut twice = told(&guilty, MANY);
    twice.steps.push(step(0, StepStatus::Completed, false));
    let refused = committer.commit(twice).await;
    assert!(
        matches!(&refused, Committed::Refused(why) if why.contains("duplicate key")),
        "{refused:?}"
    );
    let db = &world.db;
    assert_eq!(db.number("select count(*) from stepwell.step").await, 0);
    let written = "select count(*) from stepwell.audit where action <> 'run.created'";
    assert_eq!(db.number(written).await, 0);
    assert_eq!(committer.commit(told(&next, MANY)).await, Committed::Done);
    assert_eq!(db.number("select count(*) from stepwell.step").await, 3);
    world.end().await;
}

#[tokio::test]
async fn the_start_of_a_run_whose_worker_died_is_found_in_its_records() {
    let world = World::new().await;
    world.store.enqueue(new_run()).await.unwrap();
    // A process that is killed: its runtime goes, and with it all its tasks.
    let url = world.db.url.clone();
    let run_id = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = crate::queue::world::open(&url);
            let mut hand = Hand::new(&store).await;
            let claimed = hand.next().await;
            let mut begun = changes(&claimed, 2);
            begun.records[0] = record(2, "run.started");
            assert_eq!(hand.worker.committer().commit(begun).await, Committed::Done);
            claimed.header.id
        })
    })
    .join()
    .unwrap();
    let known = "select count(*) from stepwell.job where started_at is not null";
    assert_eq!(world.db.number(known).await, 0, "nobody has asked yet");
    let mut second = Hand::with(
        &world.store,
        stepwell_queue::worker::WorkerOptions {
            heartbeat: Duration::from_millis(50),
            ..options()
        },
    )
    .await;
    let again = second.next().await;
    assert_eq!(again.header.id, run_id);
    assert_eq!(again.header.sequence, 3);
    let started = again.header.started_at.expect("its start is known");
    assert!((chrono::Utc::now() - started).num_seconds() < 60);
    world.end().await;
}
