//! Losses that were met with before, one by one.

use nix::sys::signal::Signal;
use rand::Rng as _;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::acts::{ACTS, Act};
use super::cases::{prepare, settles};
use super::frozen::{others_go_on, runs_come_through};
use super::stage::Stage;
use super::{BUSY, HOLD_UP_MAX};
use crate::harness::{Blow, Target, until};

/// How soon an agent is called again after its seat was lost with an answer.
const SEAT_BACK_MAX: Duration = Duration::from_secs(5);
const STOPS: usize = 20;

pub(super) fn act(name: &str) -> Act {
    *ACTS.iter().find(|act| act.name == name).unwrap()
}

/// Plays an act up to a statement, freezes there, sees that the others go on, and ends it.
async fn frozen_at(name: &str, statement: &str) {
    let act = act(name);
    let stage = Stage::bare(act.role).await;
    play_on(stage, act, Target::with(statement), Blow::Freeze).await;
}

/// Plays an act with a blow at a statement of it; of a frozen process the others are looked at.
pub(super) async fn play_on(mut stage: Stage, act: Act, target: Target, blow: Blow) {
    prepare(&stage, act).await;
    stage.begin().await;
    stage.ready().await;
    stage.wire.arm(target, blow);
    tokio::join!((act.play)(&stage), async {
        stage.wire.meets().await;
        if blow == Blow::Freeze {
            others_go_on(&stage).await;
        }
    });
    settles(&stage).await;
    stage.finish().await;
}

#[tokio::test]
async fn a_worker_frozen_as_it_takes_a_place_stops_nobody() {
    frozen_at(
        "queue",
        "insert into stepwell.place (run_id, workflow_id, key, most) values",
    )
    .await;
}

#[tokio::test]
async fn a_worker_frozen_as_it_copies_rows_stops_nobody() {
    frozen_at("large", "copy stepwell.step").await;
}

#[tokio::test]
async fn a_worker_frozen_as_it_passes_events_on_stops_nobody() {
    frozen_at("told", "update stepwell.outbox set cursor = $3").await;
}

#[tokio::test]
async fn a_worker_frozen_as_a_schedule_fires_stops_nobody() {
    frozen_at(
        "fire",
        "from stepwell.schedule where id = $1 and revision = $2 and next_at",
    )
    .await;
}

#[tokio::test]
async fn an_api_frozen_as_it_takes_a_report_keeps_no_other_from_it() {
    let act = act("call_back");
    let mut stage = Stage::bare(act.role).await;
    prepare(&stage, act).await;
    stage.begin().await;
    stage.ready().await;
    let run = stage.starts("slow", json!({})).await;
    let path = crate::detached::callback(&stage.agent, "/slow", 1).await;
    stage.wire.arm(
        Target::with("from stepwell.job where run_id = $1 for update"),
        Blow::Freeze,
    );
    let result = json!({"status": "completed", "output": {"score": 1}});
    let repeated = async {
        stage.wire.meets().await;
        let since = Instant::now();
        // Each of them waits, and there are more than there are connections.
        let asked = (0..12).map(|_| stage.app.api.post(&path, result.clone()));
        let (answers, ()) =
            tokio::join!(futures::future::join_all(asked), runs_come_through(&stage));
        for answer in answers {
            assert!(matches!(answer.status, 200 | 503), "{}", answer.raw);
        }
        let bound = (HOLD_UP_MAX + BUSY).saturating_sub(since.elapsed());
        until("the report is taken by the other", bound, async || {
            (stage.app.api.post(&path, result.clone()).await.status == 200).then_some(())
        })
        .await;
        stage.wire.thaw();
    };
    tokio::join!(stage.asks(Method::POST, &path, result.clone()), repeated);
    assert_eq!(stage.ends(&run).await["status"], "completed");
    settles(&stage).await;
    stage.finish().await;
}

#[tokio::test]
async fn a_seat_whose_taking_was_not_answered_is_taken_again() {
    let act = act("seats");
    let mut stage = Stage::bare(act.role).await;
    prepare(&stage, act).await;
    stage.begin().await;
    stage.ready().await;
    stage.wire.arm(
        Target::with("-- Takes free seats at an agent for a worker"),
        Blow::Lose,
    );
    let run = stage.starts("w", json!({})).await;
    stage.wire.meets().await;
    until("the agent is called", SEAT_BACK_MAX + BUSY, async || {
        (!stage.agent.all().is_empty()).then_some(())
    })
    .await;
    assert_eq!(stage.ends(&run).await["status"], "completed");
    settles(&stage).await;
    stage.finish().await;
}

#[tokio::test]
async fn stops_at_random_moments_under_keyed_load_stop_nobody() {
    let act = act("queue");
    let mut stage = Stage::bare(act.role).await;
    prepare(&stage, act).await;
    stage.begin().await;
    stage.ready().await;
    let other = stage.another("other");
    other.said("ready").await;
    let tried = &stage.app.processes[1];
    for _ in 0..STOPS {
        for n in 0..12 {
            let customer = json!({"customer": format!("c{}", n % 3)});
            stage.app.api.start("in_turn", customer).await;
        }
        // Anywhere within the work on them.
        let wait = rand::rng().random_range(0..120);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        tried.signal(Signal::SIGSTOP);
        let came_through =
            tokio::time::timeout(HOLD_UP_MAX + BUSY, runs_come_through(&stage)).await;
        tried.signal(Signal::SIGCONT);
        assert!(came_through.is_ok(), "the others stood still");
    }
    stage.keep(Some(other));
    settles(&stage).await;
    stage.finish().await;
}
