//! The same command at both doors leaves the same rows, apart from ids, times and actors.

use serde_json::{Value, json};

use crate::harness::App;
use crate::sql::psql::Psql;

/// What a command is made of.
enum Command {
    Execute(Value, Value),
    Cancel(Option<&'static str>),
    Retry(Value),
    Signal(&'static str, Value),
    Pause,
    Resume,
}

use Command::{Cancel, Execute, Pause, Resume, Retry, Signal};

/// One way in.
trait Door {
    /// Gives the run's id.
    async fn execute(&self, input: &Value, options: &Value) -> String;
    async fn command(&self, run: &str, command: &Command);
}

struct Rest<'a>(&'a App);

impl Door for Rest<'_> {
    async fn execute(&self, input: &Value, options: &Value) -> String {
        let mut body = options.clone();
        body["input"] = input.clone();
        self.0
            .api
            .post_with("workflows/w/execute", &[("x-request-id", "r-1")], body)
            .await
            .of(202)
            .text("/id")
    }

    async fn command(&self, run: &str, command: &Command) {
        let (path, body) = match command {
            Execute(..) => unreachable!("comes first"),
            Cancel(reason) => ("cancel".to_owned(), json!({"reason": reason})),
            Retry(options) => ("retry".to_owned(), options.clone()),
            Signal(name, payload) => (format!("signals/{name}"), json!({"payload": payload})),
            Pause => ("pause".to_owned(), json!({})),
            Resume => ("resume".to_owned(), json!({})),
        };
        let path = format!("runs/{run}/{path}");
        let request = self
            .0
            .api
            .request(reqwest::Method::POST, &path)
            .header("x-request-id", "r-1");
        let empty = matches!(command, Pause | Resume);
        let answer = self
            .0
            .api
            .send(if empty { request } else { request.json(&body) })
            .await;
        assert!([200, 202].contains(&answer.status), "{}", answer.raw);
    }
}

struct Sql(Psql);

impl Door for Sql {
    async fn execute(&self, input: &Value, options: &Value) -> String {
        self.0.run(&format!(
            "select stepwell.execute('w', $j${input}$j$, $j${options}$j$);"
        ))
    }

    async fn command(&self, run: &str, command: &Command) {
        let call = match command {
            Execute(..) => unreachable!("comes first"),
            Cancel(Some(reason)) => format!("cancel_run('{run}', $j${reason}$j$)"),
            Cancel(None) => format!("cancel_run('{run}')"),
            Retry(options) => format!("retry_run('{run}', $j${options}$j$)"),
            Signal(name, payload) => format!("signal_run('{run}', '{name}', $j${payload}$j$)"),
            Pause => format!("pause_run('{run}')"),
            Resume => format!("resume_run('{run}')"),
        };
        self.0.run(&format!("select stepwell.{call};"));
    }
}

/// The rows of a run without what must differ.
fn rows(psql: &Psql, run: &str) -> Value {
    let text = psql.run(&format!(
        "select jsonb_build_object(
            'run', (select to_jsonb(r) - array['id', 'created_at', 'started_at', 'finished_at', 'triggered_by', 'cancelled_by']
                    || jsonb_build_object('cancelled', r.cancelled_by is not null, 'over', r.finished_at is not null)
                    from stepwell.run r where r.id = '{run}'),
            'job', (select to_jsonb(j) - array['run_id', 'worker_id', 'started_at', 'run_at']
                    #- '{{blocked_on,since}}' || jsonb_build_object('later', j.run_at is not null) from stepwell.job j where j.run_id = '{run}'),
            'dedupe', (select count(*) from stepwell.dedupe d where d.run_id = '{run}'),
            'inbox', (select jsonb_agg(jsonb_build_array(i.kind, i.payload, i.request_id) order by i.id)
                      from stepwell.inbox i where i.run_id = '{run}'),
            'steps', (select jsonb_agg(jsonb_build_array(s.name, s.generation, s.status, s.attempt, s.output) order by s.step, s.generation)
                      from stepwell.step s where s.run_id = '{run}'),
            'audit', (select jsonb_agg(to_jsonb(a) - array['id', 'at', 'xid', 'entity_id', 'actor']
                      #- '{{detail,last_started_at}}' #- '{{detail,last_finished_at}}'
                      || jsonb_build_object('actor', regexp_replace(a.actor, '^(anonymous|sql:postgres)$', 'caller')) order by a.sequence)
                      from stepwell.audit a where a.entity_id = '{run}'));"
    ));
    let mut rows: Value = serde_json::from_str(&text).unwrap();
    // Each worker has an id of its own.
    for record in rows["audit"].as_array_mut().unwrap() {
        let actor = record["actor"]
            .as_str()
            .unwrap()
            .split(':')
            .next()
            .unwrap()
            .to_owned();
        record["actor"] = actor.into();
    }
    rows
}

async fn through(door: &impl Door, commands: &[Command]) -> String {
    let Some((Execute(input, options), rest)) = commands.split_first() else {
        panic!("a run comes first");
    };
    let run = door.execute(input, options).await;
    for command in rest {
        door.command(&run, command).await;
    }
    run
}

fn plain() -> Command {
    Execute(json!({"n": 1}), json!({}))
}

/// Commands to a run that no worker has.
fn cases() -> Vec<Vec<Command>> {
    let options = json!({"priority": -3, "queue": "other", "labels": {"b": "2", "a": "1"}, "timeout_ms": 9, "dedupe_key": "k",
        "run_at": "2026-01-01T00:00:00Z", "version": 1});
    vec![
        vec![plain()],
        vec![Execute(json!(null), json!({}))],
        vec![
            Execute(json!([1.5, {"b": "ü", "a": null}]), options.clone()),
            Cancel(None),
        ],
        vec![plain(), Cancel(Some("because of ü"))],
        vec![plain(), Cancel(None), Cancel(Some("again"))],
        vec![plain(), Pause],
        vec![
            plain(),
            Pause,
            Resume,
            Signal("go", json!({"a": [1]})),
            Cancel(Some("late")),
        ],
        vec![plain(), Signal("go", json!(null))],
        vec![plain(), Cancel(None), Retry(json!({}))],
        vec![
            plain(),
            Cancel(None),
            Retry(json!({"from_step": "ask"})),
            Pause,
        ],
        vec![
            Execute(json!({}), options),
            Cancel(None),
            Retry(json!({"reset": true})),
            Cancel(None),
        ],
    ]
}

#[tokio::test]
async fn both_doors_write_the_same() {
    let mut app = App::separate(0, &[]).await;
    let steps = json!([{"name": "first", "type": "transform", "config": {"value": 1}},
        {"name": "ask", "type": "wait", "config": {"signal": "go"}}]);
    app.api.workflow("w", steps).await;
    let psql = Psql::new(&app.database).after("set stepwell.request_id = 'r-1'");
    for (n, case) in cases().iter().enumerate() {
        let rest = through(&Rest(&app), case).await;
        let by_rest = rows(&psql, &rest);
        // A key that the run holds would refuse the other.
        psql.run(&format!(
            "delete from stepwell.dedupe where run_id = '{rest}'"
        ));
        let sql = through(&Sql(psql.clone()), case).await;
        assert_eq!(rows(&psql, &sql), by_rest, "case {n}");
        psql.run("delete from stepwell.dedupe;");
    }
    // And to runs that a worker drives to where it waits.
    app.worker();
    for command in [Signal("go", json!([7])), Cancel(Some("no"))] {
        let by_rest = finished(&app, &psql, &Rest(&app), &command).await;
        let by_sql = finished(&app, &psql, &Sql(psql.clone()), &command).await;
        assert_eq!(by_sql, by_rest);
    }
    app.finish().await;
}

/// Starts a run, waits until it waits, and gives the rows of its end.
async fn finished(app: &App, psql: &Psql, door: &impl Door, command: &Command) -> Value {
    let run = through(door, &[plain()]).await;
    app.api.reaches(&run, "waiting").await;
    door.command(&run, command).await;
    app.api.finished(&run).await;
    rows(psql, &run)
}
