//! An API without a worker keeps its database in order.

use crate::harness::{App, Database, PATIENCE, until};

/// The name of the last partition that is made ahead, without its table.
const LAST_DAY: &str = "select to_char(now() at time zone 'utc' + interval '3 days', 'YYYYMMDD')";

#[tokio::test]
async fn the_api_alone_makes_partitions_ahead_and_forgets_old_keys() {
    let mut app = App::on(Database::migrated().await, &[]);
    let day = app.database.text(LAST_DAY).await.unwrap();
    for table in ["run", "step", "audit"] {
        app.database
            .run(&format!("drop table if exists stepwell.{table}_{day}"))
            .await;
    }
    app.database
        .run(
            "insert into stepwell.idempotency (scope, key, fingerprint, status, body, created_at)
             select 'anonymous POST /api/v1/runs', 'key-' || n, '', 202, '{}',
                    now() - case when n <= 12000 then interval '25 hours' else interval '23 hours' end
             from generate_series(1, 12003) n",
        )
        .await;
    app.api().await;
    // Several at once do it once.
    for name in ["api2", "api3", "api4"] {
        app.spawn(name, &["api", "--port", "0"]);
    }
    let made = format!(
        "select count(*) from pg_inherits
         where inhrelid::regclass::text ~ '^stepwell[.](run|step|audit)_{day}$'"
    );
    until("the partitions are back", PATIENCE, async || {
        (app.database.number(&made).await == 3).then_some(())
    })
    .await;
    until("the old keys are gone", PATIENCE, async || {
        let keys = "select count(*) from stepwell.idempotency";
        (app.database.number(keys).await == 3).then_some(())
    })
    .await;
    for process in &app.processes {
        process.said("http://127.0.0.1").await;
        assert!(!process.log().contains("\"ERROR\""), "{}", process.log());
    }
    app.finish().await;
}
