//! What the others do while one is frozen.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::cases::Case;
use super::stage::{Role, Stage, TRIED};
use super::{BEAT_MAX, BUSY, DEAD_AFTER, HOLD_UP_MAX};
use crate::harness::until;

const OTHER: &str = "other";
/// How often is looked whether the others beat.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A beat is late when it is in the table, and looked at, so much later than it was due on a busy machine.
const BEAT_SLACK: Duration = Duration::from_millis(1_000);

/// Freezes at the statement of a case.
pub(super) async fn case(case: &Case) {
    case.play(others_go_on).await;
}

/// The others beat and work in time, those of the frozen one are taken over, and then it thaws.
pub(super) async fn others_go_on(stage: &Stage) {
    let frozen_at = Instant::now();
    let other = (stage.role() == Role::Worker).then(|| stage.another(OTHER));
    let work = async {
        stage.wake().await;
        if other.is_some() {
            let alive =
                "select count(*) from stepwell.worker where name = 'other' and status = 'alive'";
            until(
                "another worker starts",
                left(frozen_at, HOLD_UP_MAX),
                async || (stage.app.database.number(alive).await == 1).then_some(()),
            )
            .await;
        }
        runs_come_through(stage).await;
        is_taken_over(stage, frozen_at).await;
        let open = "select count(*) from pg_stat_activity where datname = current_database()
                    and state like 'idle in transaction%' and state_change < now() - interval '1 second'";
        until(
            "its transactions are ended",
            left(frozen_at, HOLD_UP_MAX),
            async || (stage.app.database.number(open).await == 0).then_some(()),
        )
        .await;
    };
    let latest = tokio::select! {
        () = work => None,
        late = a_late_beat(stage) => Some(late),
    };
    stage.wire.thaw();
    assert_eq!(
        latest, None,
        "a worker that is not frozen says late that it lives (ms)"
    );
    stage.keep(other);
}

fn left(since: Instant, bound: Duration) -> Duration {
    (bound + BUSY).saturating_sub(since.elapsed())
}

/// Ends with how late it is, as soon as a worker that is not frozen is late.
async fn a_late_beat(stage: &Stage) -> i64 {
    let latest = format!(
        "select coalesce(max(extract(epoch from clock_timestamp() - seen_at) * 1000), 0)::bigint from stepwell.worker
         where name in ('{OTHER}', 'worker') and status in ('alive', 'draining')"
    );
    let most = i64::try_from((BEAT_MAX + BEAT_SLACK).as_millis()).unwrap();
    loop {
        let late = stage.app.database.number(&latest).await;
        if late > most {
            return late;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Runs with and without a key, asked of an API that is not frozen.
pub(super) async fn runs_come_through(stage: &Stage) {
    let api = &stage.app.api;
    let mut runs = vec![api.start("probe", json!({})).await];
    for _ in 0..2 {
        runs.push(api.start("probe_keyed", json!({"customer": "eve"})).await);
    }
    let since = Instant::now();
    for run in &runs {
        let run = api.finished_within(run, left(since, HOLD_UP_MAX)).await;
        assert_eq!(run["status"], "completed", "{run}");
    }
}

/// Nothing is held by the frozen worker any more.
async fn is_taken_over(stage: &Stage, frozen_at: Instant) {
    if stage.role() != Role::Worker {
        return;
    }
    let held = format!(
        "select count(*) from stepwell.worker w where w.name = '{TRIED}'
         and (exists (select from stepwell.job j where j.worker_id = w.id and j.state = 'leased')
              or exists (select from stepwell.detached d where d.worker_id = w.id))"
    );
    until(
        "its runs are taken over",
        left(frozen_at, DEAD_AFTER + HOLD_UP_MAX),
        async || (stage.app.database.number(&held).await == 0).then_some(()),
    )
    .await;
}
