//! Runs come in by the product's own library: many at once, or one at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use stepwell::queue::enqueue::Enqueued;
use stepwell::queue::new_run::DEFAULT_QUEUE;
use stepwell::queue::workflow::PlannedVersion;
use stepwell::queue::{Actor, Error, NewRun, Store};
use uuid::Uuid;

/// Runs of one call of the bulk door.
const BATCH: usize = 500;

/// Makes runs of one workflow.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    store: Store,
    plan: PlannedVersion,
    input: Arc<RawValue>,
}

/// Runs that came in together.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The id of the first; all others are larger.
    pub(crate) first: Uuid,
    pub(crate) took: Duration,
}

impl Door {
    /// With a store of its own.
    pub(crate) fn open(store: Store, plan: &PlannedVersion) -> Self {
        let input = RawValue::from_string("{\"user\":\"Ada\"}".to_owned());
        Self {
            store,
            plan: plan.clone(),
            input: input.expect("it is JSON").into(),
        }
    }

    pub(crate) fn new_run(&self) -> NewRun {
        NewRun {
            id: Uuid::now_v7(),
            workflow_id: self.plan.workflow_id,
            workflow_name: self.plan.workflow_name.clone(),
            version: self.plan.version,
            steps_total: i32::try_from(self.plan.plan.steps.len()).unwrap(),
            input: self.input.clone(),
            queue: DEFAULT_QUEUE.into(),
            priority: 0,
            run_at: None,
            timeout_ms: None,
            labels: BTreeMap::new(),
            dedupe_key: None,
            place: None,
            callback_url: None,
            parent: None,
            awaited: false,
            actor: Actor {
                name: "bench".to_owned(),
                ..Actor::default()
            },
            created_at: chrono::Utc::now(),
            idempotency: None,
        }
    }

    /// Enqueues one; returns after the commit.
    pub(crate) async fn enqueue(&self, run: NewRun) {
        assert!(self.try_enqueue(run).await, "the run was refused");
    }

    /// The same; answers whether there was room for it. Under too much load there is none.
    pub(crate) async fn try_enqueue(&self, run: NewRun) -> bool {
        match self.store.enqueue(run).await {
            Ok(Enqueued::Created) => true,
            Err(Error::Unavailable(_)) => false,
            other => panic!("{other:?}"),
        }
    }

    /// Enqueues many by the bulk door.
    pub(crate) async fn enqueue_many(&self, runs: usize) -> Arrived {
        let first = Uuid::now_v7();
        let began = Instant::now();
        let mut left = runs;
        while left > 0 {
            let size = left.min(BATCH);
            let batch = (0..size).map(|_| self.new_run()).collect();
            let enqueued = self.store.enqueue_batch(batch, None).await.unwrap();
            assert!(matches!(enqueued, Enqueued::Created), "{enqueued:?}");
            left -= size;
        }
        Arrived {
            first,
            took: began.elapsed(),
        }
    }

    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}
