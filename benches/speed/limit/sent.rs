//! The limit where the client sends the rows: each value of each row comes in an array of its column, as it
//! does from any program that has work to write down. [`super::rows`] sends ids, and lets the server make the rest.

use std::sync::LazyLock;

use chrono::Utc;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres};
use uuid::Uuid;

use super::columns::{END, JOB, RECORD, RUN, STEP, insert, unnested};

type Statement<'q> = Query<'q, Postgres, PgArguments>;

static ENQUEUE: LazyLock<String> = LazyLock::new(|| {
    let jobs = 1 + RUN.len();
    format!(
        "with runs as ({}), jobs as ({}) {}",
        insert("run", RUN, 1, ""),
        insert("job", JOB, jobs, ""),
        insert("audit", RECORD, jobs + JOB.len(), "")
    )
});
/// $1 worker.
static WRITE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "with owner as materialized (select id from stepwell.worker where id = $1 for key share), steps as ({}) {}",
        insert("step", STEP, 2, "owner, "),
        insert("audit", RECORD, 2 + STEP.len(), "owner, ")
    )
});
/// $1 worker.
static FINISH: LazyLock<String> = LazyLock::new(|| {
    format!(
        "with ended as materialized ({}),
         gone as (delete from stepwell.job j using ended e
                  where j.run_id = e.run_id and j.worker_id = $1 returning e.*),
         over as (update stepwell.run r
                  set status = g.status::stepwell.run_status, output = g.output::json,
                      started_at = g.started_at, finished_at = g.finished_at
                  from gone g where r.id = g.run_id) {}",
        unnested(END, 2),
        insert("audit", RECORD, 2 + END.len(), "")
    )
});

/// What every run of a batch gets a record of.
struct Record {
    about: &'static str,
    sequence: i64,
    step: Option<String>,
    action: &'static str,
    before: Option<&'static str>,
    after: &'static str,
    detail: Option<&'static str>,
}

impl Record {
    fn of_step(step: i16) -> Self {
        Self {
            about: "step",
            sequence: i64::from(step) + 3,
            step: Some(format!("s{step}")),
            action: "step.completed",
            before: Some("\"running\""),
            after: "\"completed\"",
            detail: Some("{\"attempt\":1}"),
        }
    }
}

const CREATED: Record = Record {
    about: "run",
    sequence: 1,
    step: None,
    action: "run.created",
    before: None,
    after: "\"pending\"",
    detail: None,
};
const BEGUN: Record = Record {
    about: "run",
    sequence: 2,
    step: None,
    action: "run.started",
    before: Some("\"pending\""),
    after: "\"running\"",
    detail: Some("{\"generation\":1}"),
};

/// Starts these runs, of so many steps each.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    runs: &[Uuid],
    workflow: Uuid,
    steps: i32,
) {
    let n = runs.len();
    let statement = sqlx::query(ENQUEUE.as_str())
        .bind(runs)
        .bind(vec![workflow; n])
        .bind(vec!["bench"; n])
        .bind(vec![1_i32; n])
        .bind(vec!["default"; n])
        .bind(vec![steps; n])
        .bind(vec!["{\"user\": \"Ada\"}"; n])
        .bind(vec!["bench"; n])
        .bind(vec![Utc::now(); n])
        .bind(runs)
        .bind(vec!["default"; n])
        .bind(vec!["ready"; n]);
    let statement = records(statement, "bench", runs, &[CREATED]);
    statement.execute(connection).await.unwrap();
}

/// Writes a step of these runs; with the first one, that they began.
pub(super) async fn step(connection: &mut PgConnection, worker: Uuid, runs: &[Uuid], step: i16) {
    let (n, now) = (runs.len(), Utc::now());
    let statement = sqlx::query(WRITE.as_str())
        .bind(worker)
        .bind(runs)
        .bind(vec![worker; n])
        .bind(vec![now; n])
        .bind(vec![now; n])
        .bind(vec![1_i32; n])
        .bind(vec!["completed"; n])
        .bind(vec![step; n])
        .bind(vec![1_i16; n])
        .bind(vec![3_i16; n])
        .bind(vec![format!("s{step}"); n])
        .bind(vec!["task"; n])
        .bind(vec!["{}"; n])
        .bind(vec!["null"; n]);
    let done = Record::of_step(step);
    let each = if step == 0 {
        vec![BEGUN, done]
    } else {
        vec![done]
    };
    let statement = records(statement, &format!("worker:{worker}"), runs, &each);
    statement.execute(connection).await.unwrap();
}

/// Ends these runs; `sequence` is the number of the record.
pub(super) async fn finish(
    connection: &mut PgConnection,
    worker: Uuid,
    runs: &[Uuid],
    sequence: i64,
) {
    let (n, now) = (runs.len(), Utc::now());
    let statement = sqlx::query(FINISH.as_str())
        .bind(worker)
        .bind(runs)
        .bind(vec!["completed"; n])
        .bind(vec!["null"; n])
        .bind(vec![now; n])
        .bind(vec![now; n]);
    let over = Record {
        about: "run",
        sequence,
        step: None,
        action: "run.completed",
        before: Some("\"running\""),
        after: "\"completed\"",
        detail: None,
    };
    let statement = records(statement, &format!("worker:{worker}"), runs, &[over]);
    statement.execute(connection).await.unwrap();
}

/// Binds records of these runs, in the order of [`RECORD`].
fn records<'q>(
    statement: Statement<'q>,
    actor: &str,
    runs: &[Uuid],
    each: &[Record],
) -> Statement<'q> {
    statement
        .bind(column(runs, each, |_, _| Uuid::now_v7()))
        .bind(column(runs, each, |_, record| record.about))
        .bind(column(runs, each, |run, _| run))
        .bind(column(runs, each, |_, record| record.sequence))
        .bind(column(runs, each, |_, record| record.step.clone()))
        .bind(column(runs, each, |_, record| record.action))
        .bind(column(runs, each, |_, record| record.before))
        .bind(column(runs, each, |_, record| record.after))
        .bind(column(runs, each, |_, record| record.detail))
        .bind(column(runs, each, |_, _| actor.to_owned()))
}

fn column<T>(runs: &[Uuid], each: &[Record], value: impl Fn(Uuid, &Record) -> T) -> Vec<T> {
    let all = runs.iter().flat_map(|run| each.iter().map(|e| (*run, e)));
    all.map(|(run, record)| value(run, record)).collect()
}
