//! A worker takes jobs, and all that it needs to drive them, in one statement where it can.
//!
//! [`floor`] decides from where the queue is read (D7), in terms of [`mark`]s, and [`behind`] looks for
//! what is passed over by that; [`take`] holds the statement, [`stored`] what it reads of a run, [`limit`] keeps it within what a queue allows
//! and [`trial`] within a time, [`load`] reads steps and messages of runs that were begun before, [`suspects`] finds those whose workers died, [`desk`] is the loop, [`occasion`] what it
//! waits for, [`ahead`] how many it takes before there are slots for them, [`buffer`] what it fills, [`hopeless`] sees to jobs that no driver can take up.

mod ahead;
mod behind;
pub(crate) mod buffer;
pub(crate) mod desk;
mod floor;
mod hopeless;
mod limit;
pub(crate) mod load;
mod mark;
mod occasion;
mod stored;
pub(crate) mod suspects;
mod take;
mod trial;

use std::sync::Arc;

use stepwell_workflow::{RunHeader, StepSnapshot};
use uuid::Uuid;

use crate::Message;
use crate::link::Link;
use crate::queues::rules::Rules;
use crate::worker::Life;
use mark::Mark;

/// A run whose job this worker now holds.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub header: RunHeader,
    /// For each step the row of its newest generation; empty for a fresh run.
    pub steps: Vec<StepSnapshot>,
    /// The inbox, in order.
    pub messages: Vec<Message>,
    /// Workers that died while they held it.
    pub deaths: u16,
    pub queue: Arc<str>,
    /// Of the request that made the run.
    pub request_id: Option<String>,
    /// The trace that this request belongs to.
    pub traceparent: Option<String>,
}

/// Asks for nothing, so that connection and plan are there before the first claim needs them, and as nobody,
/// so that no row is locked, which would be written to the disk. What goes wrong here goes wrong again with
/// that claim, where it is seen to.
pub(crate) async fn warm_up(link: &mut Link, life: &Life) {
    let Some(queue) = life.options.queues.first() else {
        return;
    };
    let ask = take::Ask {
        worker_id: Uuid::nil(),
        epoch: 0,
        days: &life.store.desk.days,
        queue: &Arc::from(queue.as_str()),
        floor: Mark::FIRST,
        named: &[],
        wanted: 0,
    };
    let asking = async {
        let connection = link.get().await?;
        Rules::default()
            .read(connection, &life.options.queues)
            .await?;
        take::take(connection, ask).await
    };
    if !matches!(
        tokio::time::timeout(desk::CLAIM_TIMEOUT, asking).await,
        Ok(Ok(_))
    ) {
        link.forget();
    }
}
