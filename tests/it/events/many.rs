//! A thousand who follow: on one connection of the database.

use serde_json::json;
use stepwell_web::grpc::wire::{ExecutionStatus, WatchExecutionRequest};

use super::grpc::{connect, order};
use super::sse::waiting;
use crate::harness::{PATIENCE, with_app};

const STREAMS: usize = 1_000;

#[tokio::test]
async fn a_thousand_streams_need_one_connection() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let mut client = connect(app).await;
        let connections = "select count(*) from pg_stat_activity
                           where datname = current_database() and application_name like 'stepwell %'";
        // Everything that the process holds besides, and the pools filled to their bounds.
        for _ in 0..20 {
            let starts = (0..8).map(|_| app.api.get("runs?count=true"));
            futures::future::join_all(starts).await;
        }
        let mut first = client
            .execute_workflow(order("w", "{}"))
            .await
            .unwrap()
            .into_inner();
        let id = first.message().await.unwrap().unwrap().execution_id;
        let with_one = app.database.number(connections).await;
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            let watch = WatchExecutionRequest {
                execution_id: id.clone(),
                after_sequence: 0,
            };
            streams.push(client.watch_execution(watch).await.unwrap().into_inner());
        }
        for stream in &mut streams {
            let created = tokio::time::timeout(PATIENCE, stream.message())
                .await
                .unwrap();
            assert_eq!(created.unwrap().unwrap().sequence, 1);
        }
        let with_all = app.database.number(connections).await;
        let feeding =
            format!("{connections} and query like '-- The next records of each watched%'");
        let feeding = app.database.number(&feeding).await;
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        for stream in &mut streams {
            let mut last = None;
            while let Some(update) = tokio::time::timeout(PATIENCE, stream.message())
                .await
                .unwrap()
                .unwrap()
            {
                last = Some(update.status());
            }
            assert_eq!(last, Some(ExecutionStatus::Completed));
        }
        // The pools may still have grown by what the calls themselves ask.
        let pool_max = 4;
        assert!(
            with_all <= with_one + pool_max,
            "{with_one} connections with one stream, {with_all} with a thousand"
        );
        assert_eq!(feeding, 1);
    })
    .await;
}
