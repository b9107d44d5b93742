//! The harness itself: what it says about Postgres and agents is true.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};

use super::{Agent, Client, Reply, Server};

#[tokio::test]
async fn what_was_committed_is_there_after_a_kill() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let url = server.url("postgres");
    let mut first = PgConnection::connect(&url).await.unwrap();
    first
        .execute("create table t as select 1 as n")
        .await
        .unwrap();
    for _ in 0..2 {
        server.kill();
        assert!(first.execute("select n from t").await.is_err());
        assert!(PgConnection::connect(&url).await.is_err());
        server.launch();
        first = PgConnection::connect(&url).await.unwrap();
        let n: i32 = sqlx::query_scalar("select n from t")
            .fetch_one(&mut first)
            .await
            .unwrap();
        assert_eq!(n, 1);
    }
}

#[tokio::test]
async fn an_agent_sees_that_its_caller_hung_up() {
    let agent = Agent::start().await;
    agent.on("/slow", |_| Reply::Never);
    let port = agent.url("").rsplit(':').next().unwrap().parse().unwrap();
    let client = Client::new(port);
    let call = client.get("/slow");
    assert!(
        tokio::time::timeout(Duration::from_millis(200), call)
            .await
            .is_err()
    );
    agent.aborted("/slow", 1).await;
    agent.on("/held", |_| Reply::held());
    let (answer, ()) = futures::future::join(client.get("/held"), async {
        agent.called("/held", 1).await;
        agent.release("/held");
    })
    .await;
    assert_eq!(answer.status, 200);
    assert!(agent.calls("/held")[0].answered && !agent.calls("/held")[0].aborted);
}
