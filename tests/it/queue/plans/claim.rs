//! The plans of claims: from the beginning, from a floor, and of a slice of the table behind it.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{check, explain, query};
use crate::queue::world::World;

pub(super) async fn check_plans(world: &World, steady: &mut PgConnection) {
    let nil = format!("'{}'", Uuid::nil());
    let claim = |rank, place, since| {
        [
            (1, nil.as_str()),
            (2, "1"),
            (3, "'default'"),
            (4, rank),
            (5, place),
            (6, since),
            (7, "100"),
            (8, "'{}'"),
        ]
    };
    let sql = query("claim.sql");
    let plan = explain(steady, &sql, &claim("-32768", &nil, "'epoch'")).await;
    check("claim", &plan);
    assert!(plan.contains("Index Scan using job_ready on job"), "{plan}");
    assert!(plan.contains("using job_timed on job"), "{plan}");
    assert!(
        !plan.contains("Sort Key: job.rank"),
        "the index gives the order\n{plan}"
    );

    let place = world.db.text("select run_id::text from stepwell.job where state = 'ready' order by rank, run_id offset 50000 limit 1").await.unwrap();
    let place = format!("'{place}'");
    let floored = explain(steady, &sql, &claim("0", &place, "now()")).await;
    check("claim from a floor", &floored);
    assert!(floored.contains("ROW(rank, run_id) > ROW("), "{floored}");
    assert!(!floored.contains("Rows Removed by Filter"), "{floored}");

    let slice = [
        (1, "'default'"),
        (2, "'(0,0)'"),
        (3, "'(512,0)'"),
        (4, "0"),
        (5, place.as_str()),
        (6, "now()"),
        (7, "10"),
    ];
    let behind = explain(steady, &query("look_behind.sql"), &slice).await;
    assert!(behind.contains("Tid Range Scan on job"), "{behind}");

    let some = [(1, "'default'"), (2, "50"), (3, "1")];
    let suspects = explain(steady, &query("suspects.sql"), &some).await;
    check("suspects", &suspects);
    assert!(
        suspects.contains("Index Scan using job_suspect on job"),
        "{suspects}"
    );
}
