//! Old days and old rows go, and days to come get their partitions.

use serde_json::json;

use super::{Stage, transform};
use crate::harness::{PATIENCE, until};

/// Longer ago than anything is kept in these tests.
const DAYS: i64 = 40;
const OLD_DAY: &str = "select count(*) from pg_class where relnamespace = 'stepwell'::regnamespace and relname like 'run_%'
    and relname < to_char(now() - interval '30 days', '\"run_\"YYYYMMDD')";
/// Its row is moved on when it begins, to a day before an hour hence.
const LOOKED: &str = "select count(*) from stepwell.invariant where name = 'look' and checked_at > now() - interval '1 hour'";

pub(super) async fn prepare(stage: &Stage) {
    stage
        .app
        .api
        .workflow("quick", json!([transform("s")]))
        .await;
}

/// By the first that looks. What it is about comes when nobody else is there to look.
pub(super) async fn tidy_up(stage: &Stage) {
    stage.counts("the old day is gone", OLD_DAY, 0).await;
    // One that is lost in the middle is begun anew in an hour.
    until("the day's look is over", PATIENCE, async || {
        let looked = stage.app.database.number(LOOKED).await == 1;
        (looked || stage.wire.is_hit()).then_some(())
    })
    .await;
    stage.wake().await;
    let run = stage.starts("quick", json!({})).await;
    assert_eq!(stage.ends(&run).await["status"], "completed");
}

/// A day that is kept no longer, and one since the last look at the invariants.
pub(in crate::lost) async fn an_old_day(stage: &Stage) {
    let day = chrono::Utc::now() - chrono::Duration::days(DAYS);
    let (name, day) = (day.format("%Y%m%d"), day.format("%Y-%m-%d 00:00Z"));
    for parent in ["run", "step", "result", "log", "audit"] {
        let table = format!(
            "create table stepwell.{parent}_{name} partition of stepwell.{parent}
             for values from (stepwell.uuid7_bound('{day}'))
                          to (stepwell.uuid7_bound('{day}'::timestamptz + interval '1 day'))"
        );
        stage.app.database.run(&table).await;
    }
    let long_ago = "update stepwell.invariant set checked_at = now() - interval '2 days'";
    stage.app.database.run(long_ago).await;
}
