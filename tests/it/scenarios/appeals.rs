//! Who decides about people: by a template, with an appeal that leaves the first decision as it was,
//! and with an analysis of what another limit would mean for many; nobody rewrites the audit.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, shows};
use crate::sql::psql::Psql;

const WORKERS: usize = 2;
const CASES: u64 = 500;
/// Runs that one worker has at once: none of them could do it alone.
const SLOTS: &str = "300";
/// Far less than the half minute that such an analysis may take; an idle machine takes a second.
const ANALYSIS_MAX: Duration = Duration::from_secs(10);
/// Not allowed, by whom so ever.
const DENIED: &str = "42501";

#[tokio::test]
async fn people_are_decided_about_appeal_and_are_analysed() {
    let app = App::separate(WORKERS, &[("STEPWELL_WORKER_CONCURRENCY", SLOTS)]).await;
    let register = register().await;
    makes_the_templates(&app, &register).await;
    let first = decides(&app).await;
    an_appeal_leaves_the_first_decision_as_it_was(&app, &first).await;
    what_another_limit_would_mean_for_many_is_soon_known(&app, &register).await;
    nobody_rewrites_the_audit(&app, &first).await;
    app.finish().await;
}

/// Knows the income of each person: ten times the person's number.
async fn register() -> Agent {
    let register = Agent::start().await;
    let income = |person: &Value| json!({"income": person.as_u64().unwrap() * 10});
    register.on("/income", move |call| {
        Reply::Json(200, income(&call.body["input"]["person"]))
    });
    register.on("/incomes", move |call| {
        Reply::Held(Box::new(Reply::Json(
            200,
            income(&call.body["input"]["person"]),
        )))
    });
    register
}

/// One decides about a person; the other applies it to many, with a limit that is only thought of.
async fn makes_the_templates(app: &App, register: &Agent) {
    app.api.agent("register", &register.url("/income")).await;
    let look_up = json!({"name": "look_up", "type": "agent", "when": "!has(input.income)",
        "config": {"agent": "register", "input": {"person": "${input.person}"}}});
    let income = json!({"name": "income", "type": "transform", "config": {
        "value": "${has(input.income) ? input.income : steps.look_up.output.income}"}});
    let below = json!({"when": "steps.income.output < input.limit", "value": "ELIGIBLE"});
    let at = json!({"when": "steps.income.output == input.limit", "value": "NEEDS_REVIEW"});
    let decide = json!({"name": "decide", "type": "decide", "config": {
        "rules": [below, at], "default": "NOT_ELIGIBLE"}});
    let schema = json!({"type": "object", "required": ["person", "limit"], "properties": {
        "person": {"type": "integer", "minimum": 0}, "limit": {"type": "integer"}}});
    let steps = json!([look_up, income, decide]);
    let more = json!({"input_schema": schema});
    app.api.workflow_with("eligibility", steps, more).await;
    let case = json!({"type": "workflow", "config": {"workflow": "eligibility",
        "input": {"person": "${item}", "limit": "${input.limit}"}}});
    let cases = json!({"name": "cases", "type": "map", "config": {
        "items": "${input.people}", "max_parallel": CASES, "step": case}});
    let eligible = "${size(steps.cases.output.filter(c, c.value == 'ELIGIBLE'))}";
    let more = json!({"output": {"eligible": eligible}, "max_parallel": CASES});
    app.api.workflow_with("impact", json!([cases]), more).await;
}

/// Decides about three people; gives the run of the one who will not be content.
async fn decides(app: &App) -> String {
    let mut last = Value::Null;
    for (person, value, rule) in [
        (99, "ELIGIBLE", json!(0)),
        (100, "NEEDS_REVIEW", json!(1)),
        (101, "NOT_ELIGIBLE", Value::Null),
    ] {
        let input = json!({"person": person, "limit": 1_000});
        last = app.api.execute("eligibility", input).await;
        assert_eq!(last["status"], "completed", "{last}");
        shows(&last["output"], json!({"value": value, "rule": rule}));
    }
    let incomplete = json!({"input": {"person": 7}});
    let path = "workflows/eligibility/execute";
    app.api.post(path, incomplete).await.problem(422);
    last["id"].as_str().unwrap().to_owned()
}

/// A run to the letter, as the doors show it.
async fn shown(app: &App, id: &str) -> [String; 4] {
    let raw = async |path: &str| app.api.read(&format!("runs/{id}{path}")).await.raw;
    let by_sql = Psql::new(&app.database).run(&format!(
        "select * from stepwell.v_runs where id = '{id}';
         select * from stepwell.v_steps where run_id = '{id}' order by name;"
    ));
    [
        raw("").await,
        raw("/steps").await,
        raw("/report").await,
        by_sql,
    ]
}

/// The audit trail to the letter, as a list that goes on.
async fn trail(app: &App, id: &str) -> String {
    let path = format!("runs/{id}/audit?limit=200");
    let page = app.api.read(&path).await.raw;
    let end = r#"],"next_cursor":null}"#;
    page.strip_suffix(end).unwrap().to_owned()
}

async fn an_appeal_leaves_the_first_decision_as_it_was(app: &App, first: &str) {
    let (before, trail_before) = (shown(app, first).await, trail(app, first).await);
    let corrected = json!({"person": 101, "limit": 1_000, "income": 900});
    let appeal = json!({"reason": "The register is wrong.", "input": corrected});
    let path = format!("runs/{first}/appeal");
    let made = app.api.post(&path, appeal.clone()).await.of(202);
    let linked = json!({"original_run_id": first, "reason": appeal["reason"]});
    shows(&made.body, linked);
    let second = made.text("/run_id");
    let over = app.api.finished(&second).await;
    shows(&over, json!({"forked_from": first, "input": corrected}));
    assert_eq!(over["output"]["value"], "ELIGIBLE", "{over}");
    for list in [format!("runs/{first}/appeals"), "appeals".to_owned()] {
        assert_eq!(app.api.read(&list).await.body["items"], json!([made.body]));
    }
    assert_eq!(shown(app, first).await, before);
    // What was on record is there to the letter; that there is an appeal is all that was added.
    let trail_after = trail(app, first).await;
    let added = trail_after.strip_prefix(&trail_before);
    let added = added.and_then(|added| added.strip_prefix(',')).unwrap();
    let added: Value = serde_json::from_str(added).expect("one record");
    let told = json!({"action": "run.appealed", "before": null, "after": null});
    shows(&added, told);
    assert_eq!(added["detail"]["run_id"], second, "{added}");
}

async fn what_another_limit_would_mean_for_many_is_soon_known(app: &App, register: &Agent) {
    // From now on the register answers when it has been asked about everybody.
    let url = register.url("/incomes");
    let slow = json!({"name": "register", "url": url, "timeout_ms": 30_000});
    app.api.put("agents/register", slow).await.of(200);
    let people: Vec<_> = (0..CASES).collect();
    let input = json!({"people": people, "limit": 2_000});
    let began = Instant::now();
    let run = app.api.start("impact", input).await;
    register.called("/incomes", people.len()).await;
    register.release("/incomes");
    let over = app.api.finished(&run).await;
    let took = began.elapsed();
    assert!(took < ANALYSIS_MAX, "{took:?}");
    let output = json!({"eligible": 200});
    shows(
        &over,
        json!({"status": "completed", "error": null, "output": output}),
    );
    let asked = register.calls("/incomes").len();
    assert_eq!(asked, people.len(), "each once");
    reports(app, &run).await;
}

async fn reports(app: &App, run: &str) {
    let report = app.api.read(&format!("runs/{run}/report")).await.body;
    let value = |value: &str, rule: Value, count: u64| json!({"value": {"value": value, "rule": rule, "reason": null}, "count": count});
    let values = json!([
        value("NOT_ELIGIBLE", Value::Null, 299),
        value("ELIGIBLE", json!(0), 200),
        value("NEEDS_REVIEW", json!(1), 1),
    ]);
    let by_status = json!({"completed": CASES});
    let cases = json!({"total": CASES, "by_status": by_status, "values": values});
    shows(&report["steps"][0]["items"], cases);
    // Each case is a run that can be looked at, and all workers had their part in them.
    let children = format!("runs?parent_id={run}&status=completed&count=true");
    assert_eq!(app.api.read(&children).await.body["total"], CASES);
    let workers = Psql::new(&app.database).run(&format!(
        "select count(distinct s.worker_id) from stepwell.v_steps s
         join stepwell.v_runs r on r.id = s.run_id where r.parent_id = '{run}';"
    ));
    assert_eq!(workers, WORKERS.to_string());
}

async fn nobody_rewrites_the_audit(app: &App, first: &str) {
    let owner = Psql::new(&app.database);
    let all = "select count(*), md5(string_agg(a::text, '' order by id)) from stepwell.audit a;";
    let before = owner.run(all);
    // Neither the whole nor the one partition that it is in.
    let partition = owner.run(&format!(
        "select tableoid::regclass from stepwell.audit where entity_id = '{first}' limit 1;"
    ));
    for table in ["stepwell.audit", &partition] {
        for statement in [
            format!("update {table} set actor = 'nobody' where entity_id = '{first}'"),
            format!("delete from {table} where entity_id = '{first}'"),
            format!("truncate {table}"),
        ] {
            let refused = owner.refused(&statement);
            refused.is(DENIED, &["never changed"]);
            for role in ["stepwell_operator", "stepwell_app", "stepwell_reader"] {
                let refused = owner.after(&format!("set role {role}")).refused(&statement);
                refused.is(DENIED, &["permission denied"]);
            }
        }
    }
    assert_eq!(owner.run(all), before);
}
