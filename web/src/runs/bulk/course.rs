//! How many runs are gone through: a batch at a time, a few at once, and not for too long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use stepwell_queue::Actor;
use uuid::Uuid;

use super::deed::Deed;
use super::meant::{BATCH, Meant};
use crate::App;
use crate::answer::Result;
use crate::runs::limits::BULK_RUNS_MAX;

/// Runs acted upon at once: a few connections of the pool, so that other requests find one too.
const AT_ONCE: usize = 4;
/// After this time no further batch is begun: well within what an answer may take.
const TIME_MAX: Duration = Duration::from_secs(40);

/// How it went.
#[derive(Default)]
pub(super) struct Done {
    pub(super) matched: u64,
    pub(super) done: u64,
    pub(super) skipped: BTreeMap<String, u64>,
    pub(super) more: bool,
}

/// Acts on each run that is meant, a batch at a time.
pub(super) async fn over(app: &App, meant: Meant, deed: &Deed, actor: &Actor) -> Result<Done> {
    let begun = Instant::now();
    let mut done = Done::default();
    match meant {
        Meant::Nothing => {}
        Meant::Ids(ids) => {
            for batch in ids.chunks(usize::try_from(BATCH).unwrap_or(1)) {
                if begun.elapsed() > TIME_MAX {
                    done.more = true;
                    break;
                }
                done.take(app, batch.to_vec(), deed, actor).await?;
            }
        }
        Meant::Fitting(mut filter) => loop {
            let (ids, more) = app.store.run_ids(&filter).await?;
            filter.after = ids.last().copied();
            done.take(app, ids, deed, actor).await?;
            if !more {
                break;
            }
            if done.matched >= BULK_RUNS_MAX as u64 || begun.elapsed() > TIME_MAX {
                done.more = true;
                break;
            }
        },
    }
    Ok(done)
}

impl Done {
    async fn take(&mut self, app: &App, ids: Vec<Uuid>, deed: &Deed, actor: &Actor) -> Result<()> {
        self.matched += ids.len() as u64;
        let acts: Vec<_> = ids
            .into_iter()
            .map(|id| deed.clone().act(app.clone(), id, actor.clone()))
            .collect();
        let mut outcomes = futures::stream::iter(acts).buffered(AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            match outcome? {
                None => self.done += 1,
                Some(why) => *self.skipped.entry(why.to_owned()).or_default() += 1,
            }
        }
        Ok(())
    }
}
