//! A worker's hand on the attempts of its queues: it takes them, looks whether they were recalled, and
//! reports what they came to.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use stepwell_workflow::{Attempt, Call};
use uuid::Uuid;

use super::{Place, Report, key, place, report};
use crate::claim::suspects;
use crate::error::Fault;
use crate::link::{Link, timed_out};
use crate::worker::Life;
use crate::worker::owner::Owner;
use crate::{Error, Store};

/// How long a statement may take; by then the worker is about to be fenced.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// An attempt that this worker is to make.
#[derive(Debug)]
pub struct Taken {
    pub place: Place,
    pub attempt: Attempt,
    /// Workers that died while they made it.
    pub deaths: u16,
    /// The run's slug.
    pub workflow: Arc<str>,
    pub request_id: Option<String>,
    pub traceparent: Option<String>,
}

/// What one worker makes for the drivers of others. One loop owns it.
#[derive(Debug)]
pub struct Detached {
    life: Arc<Life>,
    link: Link,
}

impl Detached {
    pub(crate) fn new(life: Arc<Life>) -> Self {
        let link = life.steady_link();
        Self { life, link }
    }

    /// Returns the store, for its hints.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.life.store
    }

    /// Says whether this is one of the worker's queues.
    #[must_use]
    pub fn serves(&self, queue: &str) -> bool {
        self.life.options.queues.iter().any(|own| own == queue)
    }

    /// Takes up to `limit` attempts that are put up on the worker's queues.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: some may be leased to this worker that it does not know of; they are
    /// given back as soon as the database answers.
    pub async fn take(&mut self, limit: usize) -> Result<Vec<Taken>, Error> {
        let life = Arc::clone(&self.life);
        // A reconciliation would give back what is not yet among the held.
        let _taking = life.taking.lock().await;
        let taken = self.ask(limit).await;
        match &taken {
            Ok(taken) => life
                .makes
                .insert(taken.iter().map(|taken| (taken.place, taken.deaths))),
            Err(_) => {
                self.link.forget();
                life.doubt();
            }
        }
        taken
    }

    async fn ask(&mut self, limit: usize) -> Result<Vec<Taken>, Error> {
        let (id, epoch) = (self.life.id, self.life.epoch.load(Ordering::Acquire));
        let queues = &self.life.options.queues;
        let (once, often) = suspects::room(self.life.options.slots, self.life.makes.suspects());
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let connection = self.link.get().await?;
        let rows = sqlx::query_file!(
            "queries/detached/claim.sql",
            id,
            epoch,
            queues,
            number(limit),
            number(once),
            number(often),
        )
        .fetch_all(connection);
        let rows = tokio::time::timeout(STATEMENT_TIMEOUT, rows)
            .await
            .unwrap_or_else(|_| Err(timed_out("taking attempts")))?;
        if rows.first().is_some_and(|row| !row.owned) {
            self.life.look_up_owner(&mut self.link).await?;
            return Ok(Vec::new());
        }
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            let (Some(run_id), Some(step), Some(item)) = (row.run_id, row.step, row.item) else {
                continue;
            };
            let place = Place {
                run_id,
                key: key(step, item),
                generation: row.generation.unwrap_or(1),
                attempt: row.attempt.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            };
            let call = row.call.as_deref().unwrap_or("null");
            let call: Call = serde_json::from_str(call)
                .map_err(|error| Error::Corrupt(format!("an attempt of {run_id}: {error}")))?;
            let ms = row.timeout_ms.and_then(|ms| u64::try_from(ms).ok());
            taken.push(Taken {
                place,
                attempt: Attempt {
                    key: place.key,
                    name: row.name.unwrap_or_default(),
                    attempt: place.attempt,
                    generation: place.generation,
                    call,
                    timeout: ms.map(Duration::from_millis),
                },
                deaths: row.deaths.and_then(|n| u16::try_from(n).ok()).unwrap_or(0),
                workflow: row.workflow.unwrap_or_default().into(),
                request_id: row.request_id,
                traceparent: row.traceparent,
            });
        }
        Ok(taken)
    }

    /// Returns those of these attempts that were recalled, and forgets them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn recalled(&mut self, places: &[Place]) -> Result<Vec<Place>, Error> {
        let column = |of: fn(&Place) -> i32| -> Vec<i32> { places.iter().map(of).collect() };
        let runs: Vec<Uuid> = places.iter().map(|p| p.run_id).collect();
        let steps: Vec<i16> = places.iter().map(|p| place(p.key).0).collect();
        let kept = sqlx::query!(
            r#"select d.run_id, d.step, d.item, d.generation, d.attempt
               from (select unnest($2::uuid[]) as run_id, unnest($3::smallint[]) as step,
                            unnest($4::int[]) as item) as p
               join stepwell.detached d on d.run_id = p.run_id and d.step = p.step and d.item = p.item
               where d.worker_id = $1"#,
            self.life.id,
            &runs,
            &steps,
            &column(|p| place(p.key).1),
        )
        .fetch_all(self.link.get().await?)
        .await
        .inspect_err(|_| self.link.forget())?;
        let kept: HashSet<Place> = kept
            .into_iter()
            .map(|row| Place {
                run_id: row.run_id,
                key: key(row.step, row.item),
                generation: row.generation,
                attempt: u32::try_from(row.attempt).unwrap_or(0),
            })
            .collect();
        let gone: Vec<Place> = places
            .iter()
            .filter(|p| !kept.contains(p))
            .copied()
            .collect();
        self.life.makes.remove(gone.iter().copied());
        Ok(gone)
    }

    /// Reports what attempts came to: messages to their runs, unless they were recalled. `false`: the
    /// worker is not alive to the database, and nothing was written.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: say it again, saying it twice does no harm. [`Error::Refused`]: the
    /// database will never take it.
    pub async fn report(&mut self, reports: &[(Place, Report)]) -> Result<bool, Error> {
        loop {
            let epoch = self.life.epoch.load(Ordering::Acquire);
            let told = report::report(self.link.get().await?, self.life.id, Some(epoch), reports);
            let told = tokio::time::timeout(STATEMENT_TIMEOUT, told)
                .await
                .unwrap_or_else(|_| Err(timed_out("a report")));
            match told {
                Ok(told) if told.owned => {
                    told.announce(&self.life.store);
                    let places = reports.iter().map(|(place, _)| *place);
                    self.life.makes.remove(places);
                    return Ok(true);
                }
                Ok(_) => match self.life.look_up_owner(&mut self.link).await? {
                    Owner::Lost => return Ok(false),
                    Owner::Alive => {}
                },
                Err(error) => {
                    if Fault::of(&error) == Fault::Broken {
                        self.link.forget();
                    }
                    return Err(error.into());
                }
            }
        }
    }

    /// Says goodbye to the server.
    pub async fn close(mut self) {
        self.link.close().await;
    }
}
