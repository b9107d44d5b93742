//! How a case is played, whatever happens in it, and what must be true when it is over.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::json;
use tokio::sync::Semaphore;

use super::acts::{self, Act};
use super::stage::Stage;
use super::{BUSY, HOLD_UP_MAX};
use crate::harness::{Blow, PATIENCE, Seen, Target, invariants, until};

/// Cases that are played at a time, in all tests together: each is three or four processes.
static PLAYED_AT_ONCE: Semaphore = Semaphore::const_new(6);
/// What is said of a case whose statement never came.
pub(super) const UNMET: &str = "the statement did not come";
/// A statement that is not sent each time comes in one of so many plays.
const PLAYS_MAX: usize = 4;
/// Of what a failed case says.
const LINES_MAX: usize = 12;
/// How long after its play an act may still meet with its statement.
const LATE: Duration = Duration::from_secs(4);

/// What is about one statement of one act.
#[derive(Clone)]
pub(super) struct Case {
    /// Those that it was seen in.
    pub(super) acts: Vec<Act>,
    pub(super) seen: Seen,
    pub(super) blow: Blow,
}

impl Case {
    /// As a report names it.
    pub(super) fn name(&self) -> String {
        let Seen {
            text,
            inside,
            after,
        } = &self.seen;
        let after = after.as_deref().map(|after| format!(" after {after:.90}"));
        let place = if *inside { "" } else { " (alone)" };
        format!(
            "{:?} {:?} {}{place}: {text:.120}{}",
            self.blow,
            self.acts[0].role,
            self.acts[0].name,
            after.unwrap_or_default()
        )
    }

    /// Plays it until it comes to its statement; `meanwhile` is what is looked at when it did.
    pub(super) async fn play(&self, meanwhile: impl AsyncFn(&Stage)) {
        // The last ones are about the start, where what comes at its time is met for sure.
        let tried = self
            .acts
            .iter()
            .take(1)
            .chain(self.acts.iter().skip(1).rev());
        for act in tried.cycle().take(PLAYS_MAX) {
            if self.play_once(*act, &meanwhile).await {
                return;
            }
        }
        panic!("{UNMET}: {PLAYS_MAX} plays");
    }

    async fn play_once(&self, act: Act, meanwhile: &impl AsyncFn(&Stage)) -> bool {
        let mut stage = Stage::bare(act.role).await;
        prepare(&stage, act).await;
        let target = Target::like(&self.seen);
        if act.early {
            stage.wire.arm(target, self.blow);
            stage.begin().await;
        } else {
            stage.begin().await;
            stage.ready().await;
            stage.wire.arm(target, self.blow);
        }
        meet(&stage, act, meanwhile).await;
        let hit = stage.wire.is_hit();
        if hit {
            settles(&stage).await;
            stage.finish().await;
        }
        hit
    }
}

/// The act, and beside it what is looked at from the moment on when it came to the statement.
async fn meet(stage: &Stage, act: Act, meanwhile: &impl AsyncFn(&Stage)) {
    let over = tokio_util::sync::CancellationToken::new();
    let play = async {
        (act.play)(stage).await;
        let _ = tokio::time::timeout(LATE, stage.wire.hit()).await;
        stage.wire.disarm();
        over.cancel();
    };
    let watch = async {
        tokio::select! {
            biased;
            () = stage.wire.hit() => meanwhile(stage).await,
            () = over.cancelled() => {}
        }
    };
    tokio::join!(play, watch);
}

/// What an act needs, and what others are asked for meanwhile.
pub(super) async fn prepare(stage: &Stage, act: Act) {
    let api = &stage.app.api;
    let steps = json!([{"name": "s", "type": "transform", "config": {"value": 1}}]);
    api.workflow("probe", steps.clone()).await;
    let keyed = json!({"concurrency": {"key": "input.customer", "limit": 1}});
    api.workflow_with("probe_keyed", steps, keyed).await;
    (act.prepare)(stage).await;
    if act.alone {
        stage.hush().await;
        acts::maintenance::an_old_day(stage).await;
    }
}

/// Everything ends, nothing is kept for nobody, and nothing was done twice.
pub(super) async fn settles(stage: &Stage) {
    for (what, left) in [
        ("every run ends", "select count(*) from stepwell.job"),
        (
            "no place is held by a run that is over",
            "select count(*) from stepwell.place",
        ),
        (
            "no seat is held where nobody is called",
            "select count(*) from stepwell.seat where worker_id is not null",
        ),
        (
            "no attempt is put up",
            "select count(*) from stepwell.detached",
        ),
    ] {
        until(what, PATIENCE + HOLD_UP_MAX + BUSY, async || {
            (stage.app.database.number(left).await == 0).then_some(())
        })
        .await;
    }
    for (what, twice) in [
        (
            "a step completed twice",
            "select count(*) from (select from stepwell.audit where action = 'step.completed'
             group by entity_id, step, (select count(*) from stepwell.audit r where r.entity_id = audit.entity_id
                and r.action = 'run.retried' and r.sequence < audit.sequence) having count(*) > 1) d",
        ),
        (
            "an event was made twice",
            "select count(*) from (select from stepwell.event where type like 'stepwell.%'
             group by type, subject, at having count(*) > 1) d",
        ),
        (
            "an event goes to a subscriber twice",
            "select count(*) from (select from stepwell.delivery group by subscription_id, event_id, callback_url
             having count(*) > 1) d",
        ),
    ] {
        assert_eq!(stage.app.database.number(twice).await, 0, "{what}");
    }
    invariants::hold(&stage.app.database).await;
}

/// Plays one among few at a time; gives what went wrong.
pub(super) async fn judged(name: String, case: impl Future<Output = ()>) -> Option<String> {
    let _permit = PLAYED_AT_ONCE.acquire().await.unwrap();
    let fault = AssertUnwindSafe(case).catch_unwind().await.err()?;
    let said = said(fault.as_ref());
    let said: Vec<_> = said.lines().take(LINES_MAX).collect();
    let told = format!("{name}\n    {}", said.join("\n    "));
    // At once: the whole walk takes minutes.
    eprintln!("FAILS {told}");
    Some(told)
}

fn said(fault: &(dyn Any + Send)) -> String {
    let text = fault.downcast_ref::<String>().cloned();
    text.or_else(|| fault.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}
