//! Events go out to those who hear of them, beside the runs that this worker drives.
//!
//! Due deliveries are taken under a lease and each is attempted in a task of its own. Of one receiver
//! only a few are in flight at once ([`lanes`]), and of one that failed a single one, so that receivers
//! that hang hold a small part of the sender and nobody else waits for them.

mod attempt;
mod envelope;
mod lanes;

use std::time::Duration;

use stepwell_queue::{Error, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::attempt::attempt;
use self::lanes::{Lanes, Settled};
use super::outbound::Outbound;

/// How long a delivery that is due goes unseen where no hint comes through.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at a database that is away.
const DATABASE_RETRY: Duration = Duration::from_secs(1);
/// How long attempts in flight may go on when the worker stops. One that is cut off is made again.
const FAREWELL: Duration = Duration::from_secs(5);

/// Sends until `stop`, and then waits a little for what is in flight.
pub(super) async fn run(store: Store, outbound: Outbound, stop: CancellationToken) {
    let mut work = store.deliveries_due();
    let mut lanes = Lanes::default();
    let mut flights = JoinSet::new();
    store.settled(&stop).await;
    while !stop.is_cancelled() {
        let wait = match take(&store, &outbound, &mut lanes, &mut flights).await {
            Ok(0) => LOOK_EVERY,
            Ok(_) => continue,
            Err(error) => {
                tracing::debug!(%error, "deliveries are looked for again");
                DATABASE_RETRY
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
            () = work.wait() => {}
            Some(ended) = flights.join_next() => lanes.note(&ended),
        }
        while let Some(ended) = flights.try_join_next() {
            lanes.note(&ended);
        }
    }
    let rest = async { while flights.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FAREWELL, rest).await;
}

/// Takes what there is room for; returns how many.
async fn take(
    store: &Store,
    outbound: &Outbound,
    lanes: &mut Lanes,
    flights: &mut JoinSet<Settled>,
) -> Result<usize, Error> {
    let Some(room) = lanes.room(flights.len()) else {
        return Ok(0);
    };
    let claimed = store.claim_deliveries(&room).await?;
    let taken = claimed.len();
    for delivery in claimed {
        lanes.begin(delivery.lane);
        let (store, outbound) = (store.clone(), outbound.clone());
        flights.spawn(async move {
            let ended = attempt(&outbound, &delivery).await;
            let settled = match &ended {
                Some(ended) => store
                    .settle_delivery(&delivery, &ended.verdict, ended.status, ended.took)
                    .await
                    .map(drop),
                None => store.put_off_delivery(&delivery).await,
            };
            if let Err(error) = settled {
                // Its lease ends, and then it is due again.
                tracing::warn!(%error, delivery = %delivery.id, "what came of a delivery is not written down");
            }
            Settled {
                lane: delivery.lane,
                arrived: ended.is_some_and(|ended| ended.arrived()),
            }
        });
    }
    Ok(taken)
}
