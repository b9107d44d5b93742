//! A schedule is run now, because somebody asks: besides its firings, whatever its status and
//! whether the run before is over.

use serde_json::json;

use super::{ENTITY, read};
use crate::audit::{self, Entry};
use crate::enqueue::{RunColumns, insert_runs};
use crate::idempotency::{self, Remembered};
use crate::new_run::{Answer, Idempotency};
use crate::{Actor, Error, NewRun, Store, transaction};

/// What the schedule would run now.
#[derive(Debug)]
pub enum NowRun {
    /// This; [`Store::start_now`] starts it.
    Ready(Box<NewRun>),
    NotFound,
    /// It can make no run: why.
    Refused(String),
}

/// What came of starting it.
#[derive(Debug)]
pub enum Started {
    Done,
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
    NotFound,
}

impl Store {
    /// Says what a schedule would run now.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ready_now(&self, name_or_id: &str, actor: &Actor) -> Result<NowRun, Error> {
        let Some(schedule) = self.schedule(name_or_id).await? else {
            return Ok(NowRun::NotFound);
        };
        Ok(match self.run_of(&schedule).await? {
            Ok(run) => NowRun::Ready(Box::new(NewRun {
                actor: actor.clone(),
                ..run
            })),
            Err(why) => NowRun::Refused(why),
        })
    }

    /// Starts it: run, records and the schedule's last run in one transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the run exists; the same key tells.
    pub async fn start_now(
        &self,
        name_or_id: &str,
        run: &NewRun,
        idempotency: Option<&Idempotency>,
    ) -> Result<Started, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if let Some(idempotency) = idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Started::Replayed(answer)),
                Remembered::Reused => return Ok(Started::KeyReused),
            }
        }
        let Some(schedule) = read::locked(&mut transaction, name_or_id).await? else {
            return Ok(Started::NotFound);
        };
        insert_runs(&mut transaction, RunColumns::of(std::iter::once(run))).await?;
        sqlx::query!(
            "update stepwell.schedule
             set last_at = $2, last_run_id = $3, last_error = null, sequence = sequence + 1
             where id = $1",
            schedule.id,
            run.created_at,
            run.id,
        )
        .execute(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: schedule.id,
            sequence: schedule.sequence + 1,
            action: "schedule.run_now",
            before: None,
            after: Some(json!({"at": run.created_at, "run_id": run.id})),
            actor: &run.actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.say_work(std::iter::once(run));
        Ok(Started::Done)
    }
}
