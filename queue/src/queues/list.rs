//! How queues stand: those that hold jobs or attempts, those that a live worker takes from, and those
//! that somebody decided about.

use std::collections::BTreeMap;

use sqlx::types::Json;

use super::Queue;
use crate::depth::Depth;
use crate::{Error, Store};

impl Queue {
    fn new(name: String) -> Self {
        Self {
            name,
            paused_at: None,
            paused_by: None,
            max_running: None,
            depth: Depth::default(),
            rate: 0.0,
            workers: 0,
        }
    }
}

impl Store {
    /// Lists the queues by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn queues(&self) -> Result<Vec<Queue>, Error> {
        let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
        let entry =
            |queues: &mut BTreeMap<String, Queue>, name: String, put: &dyn Fn(&mut Queue)| {
                put(queues
                    .entry(name)
                    .or_insert_with_key(|name| Queue::new(name.clone())));
            };
        for depth in self.depth().await? {
            entry(&mut queues, depth.queue.clone(), &|queue| {
                queue.depth.clone_from(&depth);
            });
        }
        let decided = sqlx::query!(
            "select name, paused_at, paused_by, max_running from stepwell.queue where revision > 0"
        )
        .fetch_all(&self.pool)
        .await?;
        for row in decided {
            entry(&mut queues, row.name, &|queue| {
                queue.paused_at = row.paused_at;
                queue.paused_by.clone_from(&row.paused_by);
                queue.max_running = row.max_running;
            });
        }
        let workers = sqlx::query!(
            r#"select queues, rates as "rates: Json<BTreeMap<String, f64>>" from stepwell.worker
               where freed_at is null and status = 'alive'
                 and seen_at > now() - make_interval(secs => dead_after_ms / 1000.0)"#
        )
        .fetch_all(&self.pool)
        .await?;
        for worker in workers {
            for name in worker.queues {
                let rate = worker.rates.0.get(&name).copied().unwrap_or(0.0);
                entry(&mut queues, name, &|queue| {
                    queue.workers += 1;
                    queue.rate += rate;
                });
            }
        }
        Ok(queues.into_values().collect())
    }

    /// Tells how one queue stands; `None` when nobody uses it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn queue(&self, name: &str) -> Result<Option<Queue>, Error> {
        let queues = self.queues().await?;
        Ok(queues.into_iter().find(|queue| queue.name == name))
    }
}
