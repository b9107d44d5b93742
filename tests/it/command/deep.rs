//! `stepwell doctor --deep` and the daily look: each invariant is broken by hand, and told with what to do.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::process::EXIT_FAILED;
use crate::harness::{Agent, App, Database, PATIENCE, Process, Reply, until};

/// Each check that there is.
const CHECKS: &[&str] = &[
    "run_without_job",
    "job_without_run",
    "lease",
    "parked",
    "place",
    "places_held",
    "seat",
    "dedupe",
    "detached",
    "run_times",
    "step_times",
    "step_open",
    "run_error",
    "outcome",
    "record",
    "trail_gap",
    "trail_end",
    "trail_run",
    "trail_step",
    "trail_chain",
    "undriven",
    "seat_lost",
];

async fn examined(app: &App) -> (Option<i32>, Vec<Value>) {
    let variables = app.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut process = Process::spawn("doctor", &["doctor", "--deep", "--json"], &variables);
    let code = process.exit().await.code();
    let answer: Value =
        serde_json::from_str(&process.output()).unwrap_or_else(|_| panic!("{}", process.log()));
    let of_data = answer["checks"].as_array().unwrap().iter();
    let of_data = of_data.filter(|one| CHECKS.contains(&one["check"].as_str().unwrap()));
    (code, of_data.cloned().collect())
}

/// Runs that completed, failed and wait for their time.
struct Runs {
    completed: Vec<String>,
    failed: Vec<String>,
    later: Vec<String>,
}

async fn some_runs(app: &App) -> Runs {
    let agent = Agent::start().await;
    app.api.agent("a", &agent.url("/a")).await;
    agent.on("/a", |call| match &call.body["input"]["fail"] {
        Value::Bool(true) => Reply::Json(400, json!({})),
        _ => Reply::ok(),
    });
    let input = json!({"fail": "${input.fail}"});
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a", "input": input}}]);
    app.api.workflow("w", steps).await;
    let mut runs = Runs {
        completed: Vec::new(),
        failed: Vec::new(),
        later: Vec::new(),
    };
    for _ in 0..10 {
        runs.completed
            .push(app.api.start("w", json!({"fail": false})).await);
    }
    for _ in 0..2 {
        runs.failed
            .push(app.api.start("w", json!({"fail": true})).await);
    }
    for _ in 0..5 {
        let hour = chrono::Utc::now() + chrono::TimeDelta::hours(1);
        let later = json!({"input": {"fail": false}, "run_at": hour});
        runs.later.push(app.api.start_with("w", later).await);
    }
    for (ids, status) in [(&runs.completed, "completed"), (&runs.failed, "failed")] {
        for id in ids {
            assert_eq!(app.api.finished(id).await["status"], status);
        }
    }
    runs
}

/// Breaks everything that can be broken; nobody works meanwhile.
async fn break_all(database: &Database, runs: &Runs) {
    let Runs {
        completed: over,
        failed,
        later,
    } = runs;
    let live = "00000000-0000-7000-8000-000000000001";
    let gone = "00000000-0000-7000-8000-000000000002";
    for sql in [
        format!(
            "insert into stepwell.worker (id, name, version, queues, slots, status, dead_after_ms, ended_at, freed_at)
             values ('{live}', 'live', '0', '{{default}}', 1, 'alive', 20000, null, null),
                    ('{gone}', 'gone', '0', '{{default}}', 1, 'gone', 20000, now(), now())"
        ),
        format!("delete from stepwell.job where run_id = '{}'", later[0]),
        format!(
            "insert into stepwell.job (run_id, queue, state) values ('{}', 'default', 'ready')",
            over[0]
        ),
        format!(
            "update stepwell.job set state = 'leased', run_at = null, fresh = false,
                    worker_id = (case run_id when '{}' then '{gone}' else '{live}' end)::uuid
             where run_id in ('{0}', '{}')",
            later[1], later[2]
        ),
        format!(
            "update stepwell.job set state = 'parked', run_at = null, blocked_on = '{{}}' where run_id = '{}'",
            later[3]
        ),
        format!(
            "insert into stepwell.place (workflow_id, run_id, most, held, key)
             select workflow_id, id, 1, true, case id when '{}' then 'left' else 'full' end
             from stepwell.run where id in ('{0}', '{}', '{}')",
            over[1], later[3], later[4]
        ),
        format!(
            "insert into stepwell.seat (agent_id, number, worker_id)
             select id, n, '{live}' from stepwell.agent, generate_series(1, 2) as n"
        ),
        "update stepwell.agent set max_concurrency = 1, updated_at = now() - interval '1 day'".to_owned(),
        format!(
            "insert into stepwell.dedupe (workflow_id, key, run_id) select workflow_id, 'k', id
             from stepwell.run where id = '{}'",
            over[2]
        ),
        format!(
            "insert into stepwell.detached (run_id, generation, step, attempt, once, kind, lane, name, workflow, call)
             values ('{}', 1, 0, 1, false, 'queue', 'default', 's', 'w', '{{}}')",
            over[3]
        ),
        format!(
            "update stepwell.run set started_at = finished_at + interval '1 hour' where id = '{}'",
            over[4]
        ),
        format!("update stepwell.step set finished_at = null where run_id = '{}'", over[5]),
        format!(
            "update stepwell.step set finished_at = null, status = 'running' where run_id = '{}'",
            over[6]
        ),
        format!("update stepwell.run set error = null where id = '{}'", failed[0]),
        format!("delete from stepwell.run_outcome where run_id = '{}'", failed[1]),
        format!(
            "insert into stepwell.record (id, source, category, status, payload, run_id, created_by, created_at, updated_at)
             values (stepwell.uuid7(), 's', 'c', 'processing', '{{}}', '{}', 'tester', now(), now())",
            over[0]
        ),
        "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, actor)
         values (stepwell.uuid7(), 'agent', stepwell.uuid7(), 2, 'agent.updated', 'tester')"
            .to_owned(),
        format!("update stepwell.run set sequence = sequence + 1 where id = '{}'", over[8]),
        format!(
            "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, before, after, actor)
             select stepwell.uuid7(), 'run', id, sequence + 1, 'run.failed', '\"paused\"', '\"failed\"', 'tester'
             from stepwell.run where id = '{}'",
            over[9]
        ),
        format!("update stepwell.run set sequence = sequence + 1 where id = '{}'", over[9]),
        // Of yesterday, for the daily look.
        "insert into stepwell.run (id, workflow_id, workflow_name, version, queue, steps_total, triggered_by, created_at)
         select stepwell.uuid7_bound(now() - interval '1 day'), id, slug, 1, 'default', 1, 'tester', now() - interval '1 day'
         from stepwell.workflow"
            .to_owned(),
    ] {
        database.run(&sql).await;
    }
}

/// Lets the live worker say that it lives and has nothing in hand.
async fn beat(database: &Database) {
    let pool = database.pool.clone();
    tokio::spawn(async move {
        let beat = "update stepwell.worker set seen_at = now() where status = 'alive'";
        while sqlx::query(beat).execute(&pool).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
}

#[tokio::test]
async fn every_broken_invariant_is_told_with_what_to_do_and_counted_daily() {
    let mut app = App::on(Database::migrated().await, &[]);
    app.up().await;
    let runs = some_runs(&app).await;
    let (_, well) = examined(&app).await;
    assert_eq!(well.len(), CHECKS.len(), "{well:?}");
    let broken: Vec<_> = well.iter().filter(|one| one["state"] != "ok").collect();
    assert!(broken.is_empty(), "{broken:?}");
    app.processes[0].stop().await;
    // It said goodbye, and is not to be taken for one that was killed.
    app.database.run("delete from stepwell.worker").await;

    break_all(&app.database, &runs).await;
    beat(&app.database).await;
    let (code, told) = examined(&app).await;
    assert_eq!(code, Some(EXIT_FAILED));
    for check in CHECKS {
        let one = told.iter().find(|one| one["check"] == *check).unwrap();
        assert_eq!(one["state"], "fail", "{one}");
        assert!(
            one["do"].as_str().is_some_and(|remedy| remedy.len() > 20),
            "{one}"
        );
    }
    let detail = |check: &str| {
        let one = told.iter().find(|one| one["check"] == check).unwrap();
        one["detail"].as_str().unwrap().to_owned()
    };
    assert!(detail("run_without_job").contains(&runs.later[0]));
    assert!(detail("lease").contains("by gone"), "{}", detail("lease"));
    assert!(
        detail("undriven").contains(&runs.later[2]),
        "{}",
        detail("undriven")
    );
    assert!(detail("trail_chain").contains("before paused, told was completed"));

    app.database
        .run("update stepwell.invariant set checked_at = now() - interval '25 hours'")
        .await;
    app.api().await;
    let metrics = until("the daily look is over", PATIENCE, async || {
        let text = app.api.get("/metrics").await.of(200).raw;
        text.contains("stepwell_invariant_breaches{check=\"seat_lost\"}")
            .then_some(text)
    })
    .await;
    for (check, breaches) in [
        // That of yesterday; today's is for tomorrow.
        ("run_without_job", 1),
        ("job_without_run", 1),
        ("place", 1),
        ("dedupe", 1),
        ("undriven", 1),
        ("seat_lost", 2),
        ("trail_gap", 0),
    ] {
        let line = format!("stepwell_invariant_breaches{{check=\"{check}\"}} {breaches}.0\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let look =
        "select count(*) from stepwell.invariant where checked_at < now() - interval '1 hour'";
    assert_eq!(app.database.number(look).await, 0);
    let mut api = app.processes.pop().unwrap();
    api.stop().await;
    let log = api.log();
    assert!(
        log.contains("every job is of a run that is not over")
            && log.contains("delete from stepwell.job"),
        "{log}"
    );
    app.database.drop_it().await;
}
