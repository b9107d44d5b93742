//! Audit records are never changed, by nobody.

use sqlx::{AssertSqlSafe, Executor};

use crate::queue::world::{World, new_run};

#[tokio::test]
async fn update_delete_and_truncate_raise_on_every_table() {
    let world = World::new().await;
    world.store.enqueue(new_run()).await.unwrap();
    let part = world
        .db
        .text("select tableoid::regclass::text from stepwell.audit limit 1")
        .await
        .unwrap();
    assert_ne!(part, "stepwell.audit_default");
    for table in ["stepwell.audit", "stepwell.audit_default", &part] {
        for statement in [
            format!("update {table} set actor = 'nobody'"),
            format!("delete from {table}"),
            format!("delete from {table} where false"),
            format!("truncate {table}"),
            format!("set session_replication_role = replica; delete from {table}"),
        ] {
            let error = world
                .db
                .pool
                .execute(AssertSqlSafe(statement.clone()))
                .await
                .unwrap_err();
            assert!(
                error.to_string().contains("never changed"),
                "{statement}: {error}"
            );
        }
    }
    assert_eq!(
        world.db.number("select count(*) from stepwell.audit").await,
        1
    );
    // Retention drops days.
    world.db.run(&format!("drop table {part}")).await;
    assert_eq!(
        world.db.number("select count(*) from stepwell.audit").await,
        0
    );
    world.end().await;
}
