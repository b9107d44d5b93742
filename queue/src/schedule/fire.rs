//! A due schedule makes its run. The run, the row's next firing and the records of both are one
//! transaction under the row's lock: a process that dies in the middle has done nothing.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::turn::{Turn, turn};
use super::{ENTITY, Overlap, Schedule, read};
use crate::audit::{self, Entry};
use crate::enqueue::{RunColumns, insert_runs};
use crate::inbox;
use crate::listen::Hint;
use crate::{Actor, Error, NewRun, PlannedVersion, Store, transaction};

/// Due schedules of one look; the next look follows at once.
const DUE_PER_LOOK: i64 = 100;
/// Why a run is cancelled for the next.
const REPLACED: &str = "the schedule's next run began";

impl Store {
    /// Makes the runs that are due at `now`, and returns how many firings were decided. Whoever else
    /// does the same at the same time takes others.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. What is wrong with one schedule is logged, and the others go on.
    pub async fn fire_due(&self, now: Time) -> Result<usize, Error> {
        let due = sqlx::query_scalar!(
            "select id from stepwell.schedule where next_at <= $1 order by next_at limit $2",
            now,
            DUE_PER_LOOK,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut decided = 0;
        for id in due {
            loop {
                match self.fire(id, now).await {
                    Ok(true) => decided += 1,
                    Ok(false) => break,
                    Err(error @ Error::Unavailable(_)) => return Err(error),
                    Err(error) => {
                        tracing::error!(schedule = %id, %error, "a schedule cannot fire");
                        break;
                    }
                }
            }
        }
        Ok(decided)
    }

    /// Decides about one firing; `false` when none is due, or somebody else is at it.
    async fn fire(&self, id: Uuid, now: Time) -> Result<bool, Error> {
        let Some(seen) = self.schedule(&id.to_string()).await? else {
            return Ok(false);
        };
        // Before the transaction: with few connections, one that waits for a second never ends.
        let run = self.run_of(&seen).await?;
        let rhythm = seen.rhythm()?;
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let Some(schedule) = read::due(&mut transaction, &seen, now).await? else {
            return Ok(false);
        };
        let Some(next_at) = schedule.next_at else {
            return Ok(false);
        };
        let decided = turn(&rhythm, next_at, now, schedule.catch_up);
        let mut firing = Firing {
            schedule,
            hints: Vec::new(),
            made: None,
        };
        firing.decide(&mut transaction, &decided, run).await?;
        firing.keep(&mut transaction, decided.next_at).await?;
        transaction.commit().await?;
        for hint in firing.hints {
            self.announce(hint);
        }
        if let Some(run) = &firing.made {
            tracing::debug!(schedule = %id, run_id = %run.id, "a schedule fired");
            self.say_work(std::iter::once(run));
        }
        Ok(true)
    }

    /// Returns the run that the schedule would make now, or why it cannot.
    pub(super) async fn run_of(
        &self,
        schedule: &Schedule,
    ) -> Result<Result<NewRun, String>, Error> {
        let workflow = &schedule.workflow;
        let Some(planned) = self.resolve(workflow, schedule.version).await? else {
            return Ok(Err(match schedule.version {
                None => format!("there is no workflow {workflow:?}"),
                Some(version) => {
                    format!("there is no version {version} of a workflow {workflow:?}")
                }
            }));
        };
        if !planned.active {
            return Ok(Err(format!("the workflow {workflow:?} is inactive")));
        }
        let input: Value = serde_json::from_str(schedule.input.get())
            .map_err(|error| Error::Corrupt(format!("schedule {}: {error}", schedule.id)))?;
        if let Some(finding) = planned.plan.check_input(&input).first() {
            return Ok(Err(format!(
                "the input does not fit the workflow any more: {} {}",
                finding.pointer, finding.detail
            )));
        }
        Ok(Ok(new_run(schedule, &planned)))
    }
}

fn new_run(schedule: &Schedule, planned: &PlannedVersion) -> NewRun {
    let input = Arc::from(schedule.input.clone());
    // Its place, where it needs one, the driver asks for.
    NewRun {
        queue: schedule.queue.as_str().into(),
        priority: schedule.priority,
        labels: schedule.labels.clone(),
        // When it is made, which may be long after it was due.
        created_at: crate::clock::now(),
        ..NewRun::of(planned, input, actor(schedule))
    }
}

/// Who triggers what a schedule triggers.
fn actor(schedule: &Schedule) -> Actor {
    Actor {
        name: format!("schedule:{}", schedule.id),
        ..Actor::default()
    }
}

/// One firing, within its transaction.
struct Firing {
    schedule: Schedule,
    /// To be said after the commit.
    hints: Vec<Hint>,
    made: Option<NewRun>,
}

impl Firing {
    async fn decide(
        &mut self,
        connection: &mut PgConnection,
        decided: &Turn,
        run: Result<NewRun, String>,
    ) -> Result<(), Error> {
        if decided.missed {
            let missed =
                json!({"from": self.schedule.next_at, "before": decided.at.or(decided.next_at)});
            self.record(connection, "schedule.missed", missed).await?;
        }
        let Some(at) = decided.at else {
            return Ok(());
        };
        let run = match run {
            Ok(run) => run,
            Err(why) => {
                let failed = json!({"at": at, "error": why});
                self.record(connection, "schedule.failed", failed).await?;
                self.schedule.last_error = Some(why);
                return Ok(());
            }
        };
        if let Some(live) = self.live_run(connection).await? {
            match Overlap::of(&self.schedule.overlap) {
                Some(Overlap::Skip) => {
                    let skipped = json!({"at": at, "run_id": live});
                    return self.record(connection, "schedule.skipped", skipped).await;
                }
                Some(Overlap::CancelRunning) => {
                    let actor = actor(&self.schedule);
                    let asked = inbox::cancel_within(connection, live, REPLACED, &actor).await?;
                    self.hints.extend(asked);
                }
                Some(Overlap::Allow) | None => {}
            }
        }
        insert_runs(connection, RunColumns::of(std::iter::once(&run))).await?;
        let fired = json!({"at": at, "run_id": run.id});
        self.record(connection, "schedule.fired", fired).await?;
        self.schedule.last_at = Some(at);
        self.schedule.last_run_id = Some(run.id);
        self.schedule.last_error = None;
        self.made = Some(run);
        Ok(())
    }

    /// Returns the last run, if it is not over.
    async fn live_run(&self, connection: &mut PgConnection) -> Result<Option<Uuid>, Error> {
        let Some(last) = self.schedule.last_run_id else {
            return Ok(None);
        };
        let live = sqlx::query_scalar!(
            r#"select exists (select from stepwell.job where run_id = $1) as "live!""#,
            last
        )
        .fetch_one(connection)
        .await?;
        Ok(live.then_some(last))
    }

    async fn record(
        &mut self,
        connection: &mut PgConnection,
        action: &str,
        after: Value,
    ) -> Result<(), Error> {
        self.schedule.sequence += 1;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: self.schedule.id,
            sequence: self.schedule.sequence,
            action,
            before: None,
            after: Some(after),
            actor: &actor(&self.schedule),
        };
        audit::write(connection, entry).await
    }

    /// Moves the row to its next firing.
    async fn keep(
        &self,
        connection: &mut PgConnection,
        next_at: Option<Time>,
    ) -> Result<(), Error> {
        let schedule = &self.schedule;
        sqlx::query!(
            "update stepwell.schedule
             set next_at = $2, last_at = $3, last_run_id = $4, last_error = $5, sequence = $6
             where id = $1",
            schedule.id,
            next_at,
            schedule.last_at,
            schedule.last_run_id,
            schedule.last_error,
            schedule.sequence,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
