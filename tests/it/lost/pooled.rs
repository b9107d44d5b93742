//! Behind a pooler in transaction mode the same holds: a lost process stops nobody. One too old is refused.

use std::time::Duration;

use super::SETTINGS;
use super::named::{act, play_on};
use super::stage::Stage;
use crate::harness::process::EXIT_FAILED;
use crate::harness::{App, Blow, Database, Pooler, Process, Target};

/// Prepared statements that it keeps for each connection; those of Stepwell are fewer.
const PREPARED: u32 = 500;
const START_MAX: Duration = Duration::from_secs(30);
const TAKES_A_PLACE: &str = "insert into stepwell.place (run_id, workflow_id, key, most) values";

/// Plays acts behind the pooler, each with a blow at a statement within a transaction.
async fn struck(blow: Blow) {
    for (name, statement) in [
        ("queue", TAKES_A_PLACE),
        ("told", "update stepwell.outbox set cursor = $3"),
    ] {
        let act = act(name);
        let Some(stage) = Stage::pooled(act.role, PREPARED).await else {
            return;
        };
        play_on(stage, act, Target::with(statement), blow).await;
    }
}

#[tokio::test]
async fn a_worker_frozen_behind_a_pooler_stops_nobody() {
    struck(Blow::Freeze).await;
}

#[tokio::test]
async fn an_answer_lost_behind_a_pooler_leaks_nothing() {
    struck(Blow::Lose).await;
}

#[tokio::test]
async fn a_pooler_that_mixes_statements_up_is_refused_in_words() {
    let database = Database::migrated().await;
    let Some(pooler) = Pooler::before(&database, 0).await else {
        return;
    };
    let app = App::on(database, &[SETTINGS, &pooler.variables()].concat());
    for command in ["api", "worker"] {
        let variables = app.variables();
        let variables = variables.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let mut process = Process::spawn(command, &[command], &variables.collect::<Vec<_>>());
        let status = process.exit_within(START_MAX).await;
        let said = process.log();
        assert_eq!(status.code(), Some(EXIT_FAILED), "{said}");
        assert!(said.contains("PgBouncer 1.21"), "{said}");
        assert!(said.contains("max_prepared_statements"), "{said}");
    }
    app.finish().await;
}
