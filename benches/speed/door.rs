//! Runs come in by the product's own library: many at once, or one at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use stepwell::queue::enqueue::Enqueued;
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
        let actor = Actor {
            name: "bench".to_owned(),
            ..Actor::default()
        };
        NewRun::of(&self.plan, self.input.clone(), actor)
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
