//! The plans of statements about one day's runs, in a database that is as new as can be. A connection keeps
//! the plans that it makes then for as long as it lives, so they must suit a million rows. And whenever an ANALYZE
//! finds a table empty, as that of jobs is when all is done, plans are made for that until the next one.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{STEADY, check, explain, query};
use crate::queue::world::World;

/// What `queue/src/day` makes of a statement today.
pub(super) fn named(sql: &str, day: &str) -> String {
    sql.replace("stepwell.run r", &format!("stepwell.run_{day} r"))
        .replace("stepwell.step t", &format!("stepwell.step_{day} t"))
}

pub(super) async fn today(world: &World) -> String {
    let today = "select to_char(now() at time zone 'utc', 'YYYYMMDD')";
    world.db.text(today).await.unwrap()
}

#[tokio::test]
async fn plans_for_empty_tables_look_rows_up_one_by_one_in_the_day_alone() {
    let world = World::new().await;
    let day = today(&world).await;
    let mut steady = PgConnection::connect(&world.db.url).await.unwrap();
    steady.execute(STEADY).await.unwrap();
    check_all(&mut steady, &day).await;
    world.db.run("vacuum analyze").await;
    check_all(&mut steady, &day).await;
    steady.close().await.unwrap();
    world.end().await;
}

async fn check_all(steady: &mut PgConnection, day: &str) {
    for name in [
        "claim.sql",
        "run_headers.sql",
        "load_steps.sql",
        "commit_lean.sql",
        "commit_jobs.sql",
        "commit.sql",
    ] {
        let written = query(name);
        let plan = explain(steady, &named(&written, day), &[]).await;
        assert!(plan.contains(&format!("_{day} ")), "{name}: {plan}");
        let whole = explain(steady, &written, &[]).await;
        assert!(
            whole.contains("run_default") || whole.contains("step_default"),
            "{name}: {whole}"
        );
        for table in ["run", "step"] {
            for other in ["default", "20"] {
                let strays = plan
                    .lines()
                    .filter(|line| line.contains(&format!(" {table}_{other}")));
                let strays: Vec<_> = strays.filter(|line| !line.contains(day)).collect();
                assert!(strays.is_empty(), "{name} opens {strays:?}\n{plan}");
            }
        }
        for plan in [plan, whole] {
            check(name, &plan);
            looked_up(name, &plan);
            assert!(!plan.contains("Materialize"), "{name}: {plan}");
        }
    }
    for name in [
        "reserve.sql",
        "poll_inbox.sql",
        "suspects.sql",
        "feed/of_runs.sql",
        "detached/claim.sql",
        "detached/poll.sql",
        "detached/report.sql",
    ] {
        let plan = explain(steady, &query(name), &[]).await;
        check(name, &plan);
        looked_up(name, &plan);
    }
}

/// Fails where the rows of a key are all gone through, or an id is looked for by another index than its own.
fn looked_up(name: &str, plan: &str) {
    let lines: Vec<_> = plan.lines().collect();
    for pair in lines.windows(2) {
        let by_key = ["_pkey on ", "inbox_run on "];
        // Of queues there are few.
        let by_key = by_key.iter().any(|index| pair[0].contains(index))
            && !pair[0].contains("queue_pkey on ");
        assert!(
            !by_key || pair[1].contains("Index Cond: ("),
            "{name}: {plan}"
        );
        let message = pair[1].contains("Index Cond: (id = ANY (ARRAY[c.id]))");
        assert!(!message || pair[0].contains("inbox_pkey"), "{name}: {plan}");
        let run = pair[1].contains("Index Cond: (id = ANY (ARRAY[");
        assert!(!run || pair[0].contains("_pkey on "), "{name}: {plan}");
    }
}
