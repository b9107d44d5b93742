//! A claim that its sender never hears of.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::late::at;
use super::receiver::{delivery, retrying, subscribe};
use crate::harness::{Agent, App, Reply};

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_no_attempt() {
    let mut app = App::separate(0, &[]).await;
    let agent = Agent::start().await;
    agent.on("/hook", |_| Reply::Json(500, json!({})));
    let id = subscribe(&app, &agent.url("/hook"), json!(["stepwell.run.*"])).await;
    app.api
        .post(&format!("subscriptions/{id}/test"), json!({}))
        .await
        .of(202);
    // As a sender does that never hears of it: for a moment only, so that nobody has to wait for the lease.
    let mut connection = PgConnection::connect(&app.database.url).await.unwrap();
    let claim = include_str!("../../../queue/queries/delivery/claim.sql");
    for lease in 1..=3 {
        let claimed = sqlx::query(AssertSqlSafe(claim))
            .bind(Vec::<uuid::Uuid>::new())
            .bind(Vec::<i32>::new())
            .bind(5_i32)
            .bind(5_i64)
            .bind(0.0_f64)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].get::<i32, _>("lease!"), lease);
    }
    assert_eq!(delivery(&app, &id, "pending").await["attempts"], 0);
    app.worker();
    let failed = retrying(&app, &id).await;
    assert_eq!(failed["attempts"], 1, "{failed}");
    // The first delay of the schedule, not the fourth.
    let wait = at(&failed["next_attempt_at"]) - at(&failed["last_attempt_at"]);
    assert!((4_000..=15_000).contains(&wait), "{wait} ms: {failed}");
    assert_eq!(agent.calls("/hook").len(), 1);
    app.finish().await;
}
