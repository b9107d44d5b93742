//! A worker with functions of its own: steps of type `task` call `charge` and `receipt`.
//!
//! DATABASE_URL=postgres://localhost/stepwell cargo run --example own_worker

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::worker::{Runtime, TaskCall, TaskError};
use tokio_util::sync::CancellationToken;

#[derive(Deserialize)]
struct Order {
    amount_cents: i64,
}

#[derive(Serialize)]
struct Charge {
    id: String,
    amount_cents: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store = Store::open(StoreOptions {
        url: std::env::var("DATABASE_URL")?.into(),
        pool_max: 5,
        acquire_timeout: Duration::from_secs(5),
        listen: true,
        retention: stepwell::queue::retention::Retention::default(),
        master_key: std::env::var("STEPWELL_MASTER_KEY").ok().map(Into::into),
    })?;
    let runtime = Runtime::builder(store)
        // Input and output are your own types; the key is the same if the attempt is repeated.
        .typed_task("charge", |order: Order, call: TaskCall| async move {
            if order.amount_cents <= 0 {
                return Err(TaskError::fatal("the amount must be more than nothing"));
            }
            Ok(Charge {
                id: call.idempotency_key(),
                amount_cents: order.amount_cents,
            })
        })
        // Or plain JSON.
        .task("receipt", |call: TaskCall| async move {
            Ok(json!({ "text": format!("Charged: {}", call.input) }))
        })
        .build()?;

    let stop = CancellationToken::new();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.cancel();
            }
        }
    });
    Ok(runtime.run(stop).await?)
}
