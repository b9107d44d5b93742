//! A result that comes from outside, by a token, becomes a message to its run.
//!
//! One transaction under the lock of the run's job: what was said before is looked up, the attempt is
//! looked at, and then the result is noted, the message written and the run made due. Saying the same
//! twice is answered like the first time.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use stepwell_workflow::{Outcome, Time};
use uuid::Uuid;

use crate::detached::{Place, Report, place};
use crate::inbox::{Word, word};
use crate::listen::Hint;
use crate::log::{self, Line};
use crate::text::clean;
use crate::token::{For, Token};
use crate::{Actor, Error, Store, transaction};

/// What came of a result from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The run hears of it.
    Accepted,
    /// The same was said before.
    Again,
    /// Something else was said before.
    Contradicted,
    /// The token is none, or is for something else.
    Unknown,
    /// The token's time is over.
    Expired,
    /// The attempt is over: it ended otherwise, was made again or given up, or its run is over.
    Over,
    /// Somebody else holds the lease by now.
    LeaseLost,
}

/// What is said by a token, and by whom.
#[derive(Debug)]
pub struct Said {
    pub outcome: Outcome,
    /// Lines for the log, in order.
    pub lines: Vec<(log::Level, String)>,
    pub actor: Actor,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// An agent's callback.
    Callback,
    /// External work.
    External,
}

impl Store {
    /// Takes in what is said by a token at this door.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn deliver(&self, token: &str, door: Door, said: Said) -> Result<Delivered, Error> {
        let token = match self.admit_token(token, door).await? {
            Ok(token) => token,
            Err(refused) => return Ok(refused),
        };
        let report = Report {
            key: token.place.key,
            generation: token.place.generation,
            attempt: token.place.attempt,
            agent_policy: None,
            outcome: said.outcome,
        };
        let (delivered, step) = self.deliver_report(&token, report, &said.actor).await?;
        if let Some(step) = step.filter(|_| !said.lines.is_empty()) {
            self.write_said(&token, step, said.lines).await?;
        }
        Ok(delivered)
    }

    /// Keeps log lines that are said by a token at this door, while its attempt goes on.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn log_by_token(
        &self,
        token: &str,
        said: Vec<(log::Level, String)>,
    ) -> Result<Delivered, Error> {
        let mut token_of = self.admit_token(token, Door::Callback).await?;
        if token_of == Err(Delivered::Unknown) {
            token_of = self.admit_token(token, Door::External).await?;
        }
        let token = match token_of {
            Ok(token) => token,
            Err(refused) => return Ok(refused),
        };
        let mut connection = self.pool.acquire().await?;
        let step = match standing(&mut connection, &token).await? {
            Ok(step) => step,
            Err(refused) => return Ok(refused),
        };
        drop(connection);
        self.write_said(&token, step, said).await?;
        Ok(Delivered::Accepted)
    }

    /// Writes what was said of a step into the log.
    async fn write_said(
        &self,
        token: &Token,
        step: Step,
        said: Vec<(log::Level, String)>,
    ) -> Result<(), Error> {
        let name = match step {
            Step::Named(name) => name,
            Step::Planned(workflow_id, version) => {
                let planned = self.planned(workflow_id, version).await?;
                let name = planned.and_then(|planned| planned.plan.step_name(token.place.key));
                name.ok_or_else(|| {
                    Error::Corrupt(format!("run {}: no such step", token.place.run_id))
                })?
            }
        };
        self.write_lines(&lines(token, &name, said)).await
    }

    /// Says whether a token is one that was given out for any of these doors, by its signature alone;
    /// else what it is. What its attempt has come to since is another question.
    ///
    /// # Errors
    /// [`Error::Unavailable`], before the first token was read.
    pub async fn knows_token(&self, text: &str, doors: &[Door]) -> Result<Delivered, Error> {
        let mut refused = Delivered::Unknown;
        for door in doors {
            match self.admit_token(text, *door).await? {
                Ok(_) => return Ok(Delivered::Accepted),
                Err(Delivered::Unknown) => {}
                Err(why) => refused = why,
            }
        }
        Ok(refused)
    }

    /// Reads a token and checks that it is for this door and in time.
    pub(crate) async fn admit_token(
        &self,
        text: &str,
        door: Door,
    ) -> Result<Result<Token, Delivered>, Error> {
        let Some(token) = self.signer().await?.read(text) else {
            return Ok(Err(Delivered::Unknown));
        };
        Ok(match (token.purpose, door) {
            (For::Callback { until }, Door::Callback) if until < crate::clock::now() => {
                Err(Delivered::Expired)
            }
            (For::Callback { .. }, Door::Callback) | (For::External { .. }, Door::External) => {
                Ok(token)
            }
            _ => Err(Delivered::Unknown),
        })
    }

    /// Writes the message; returns the step as well, where it is accepted.
    pub(crate) async fn deliver_report(
        &self,
        token: &Token,
        report: Report,
        actor: &Actor,
    ) -> Result<(Delivered, Option<Step>), Error> {
        let Place {
            run_id,
            key,
            generation,
            attempt,
        } = token.place;
        let (step, item) = place(key);
        let small = i16::try_from(attempt).unwrap_or(i16::MAX);
        let (kind, payload) = word::encode(Word::Reported(report));
        let fingerprint = Sha256::digest(payload.as_bytes()).to_vec();
        let turn =
            tokio::time::timeout(self.options.acquire_timeout, self.desk.reporting.acquire());
        let _turn = turn
            .await
            .map_err(|_| Error::Unavailable(sqlx::Error::PoolTimedOut))?;
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        // First, as every commit does.
        let job = sqlx::query!(
            r#"select queue, state = 'leased' as "leased!" from stepwell.job
               where run_id = $1 for update"#,
            run_id
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let before = sqlx::query_scalar!(
            "select fingerprint from stepwell.result
             where run_id = $1 and step = $2 and item = $3 and generation = $4 and attempt = $5",
            run_id,
            step,
            item,
            generation,
            small
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let refused = |why| Ok((why, None));
        if let Some(before) = before {
            return refused(if before == fingerprint {
                Delivered::Again
            } else {
                Delivered::Contradicted
            });
        }
        let Some(job) = job else {
            return refused(Delivered::Over);
        };
        let step_said = match standing(&mut transaction, token).await? {
            Ok(step) => step,
            Err(why) => return refused(why),
        };
        sqlx::query!(
            "with gone as (
                 delete from stepwell.detached where run_id = $1 and step = $2 and item = $3),
             noted as (
                 insert into stepwell.result (run_id, step, item, generation, attempt, fingerprint)
                 values ($1, $2, $3, $4, $5, $6)),
             told as (
                 insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
                 values ($1, $7, $8::text::json, $9, $10))
             update stepwell.job
             set messages = messages + 1,
                 state = (case when state in ('timed', 'parked') then 'ready' else state::text end)::stepwell.job_state,
                 run_at = null,
                 blocked_on = null
             where run_id = $1",
            run_id,
            step,
            item,
            generation,
            small,
            fingerprint,
            kind,
            payload,
            clean(&actor.name) as _,
            actor.request_id.as_deref().map(clean) as _,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.announce(if job.leased {
            Hint::Inbox {
                run_ids: vec![run_id],
            }
        } else {
            Hint::Work { queue: job.queue }
        });
        Ok((Delivered::Accepted, Some(step_said)))
    }
}

/// The step of an attempt that goes on.
pub(crate) enum Step {
    /// By the name in its row.
    Named(String),
    /// By its place in this version of this workflow: an attempt of some milliseconds has no row yet.
    Planned(Uuid, i32),
}

/// Returns the step where the attempt goes on, else why it does not.
async fn standing(
    connection: &mut PgConnection,
    token: &Token,
) -> Result<Result<Step, Delivered>, Error> {
    let Place {
        run_id,
        key,
        generation,
        attempt,
    } = token.place;
    let (step, item) = place(key);
    if let For::External { lease } = token.purpose {
        let held = sqlx::query!(
            "select generation, attempt, lease, name from stepwell.detached
             where run_id = $1 and step = $2 and item = $3 and kind = 'external' for update",
            run_id,
            step,
            item
        )
        .fetch_optional(connection)
        .await?;
        return Ok(match held {
            Some(row)
                if row.generation != generation || i64::from(row.attempt) != i64::from(attempt) =>
            {
                Err(Delivered::Over)
            }
            Some(row) if row.lease != lease => Err(Delivered::LeaseLost),
            Some(row) => Ok(Step::Named(row.name)),
            None => Err(Delivered::Over),
        });
    }
    let row = sqlx::query!(
        r#"select r.generation, r.status = 'pending' as "open!", r.workflow_id, r.version,
                  s.status::text as status, s.attempt as "attempt?", s.error is not null as "failed?", s.name as "name?"
           from stepwell.run r
           left join stepwell.step s
             on s.run_id = r.id and s.step = $2 and s.item = $3 and s.generation = $4
           where r.id = $1"#,
        run_id,
        step,
        item,
        generation
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row.filter(|row| row.open && row.generation == generation) else {
        return Ok(Err(Delivered::Over));
    };
    let step = row
        .name
        .map_or(Step::Planned(row.workflow_id, row.version), Step::Named);
    let begun = i64::from(row.attempt.unwrap_or(0));
    let attempt = i64::from(attempt);
    let waits = match row.status.as_deref() {
        None => attempt >= 1,
        Some("running") => begun == attempt,
        Some("waiting") if row.failed == Some(true) => begun == attempt - 1,
        Some("waiting") => begun == attempt,
        Some(_) => false,
    };
    Ok(if waits {
        Ok(step)
    } else {
        Err(Delivered::Over)
    })
}

fn lines(token: &Token, name: &str, said: Vec<(log::Level, String)>) -> Vec<Line> {
    let at: Time = crate::clock::now();
    let line = |(level, message)| Line {
        run_id: token.place.run_id,
        step: name.to_owned(),
        attempt: token.place.attempt,
        level,
        at,
        message,
    };
    said.into_iter().map(line).collect()
}
