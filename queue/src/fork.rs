//! A new run that goes on from the results of one that is over, or that appeals it. The old one is
//! not touched; both have a record that names the other.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgConnection;
use stepwell_workflow::{RunStatus, Time, fork};
use uuid::Uuid;

use crate::claim::load;
use crate::day::On;
use crate::enqueue::{RunColumns, insert_runs, keys};
use crate::inbox::run_status;
use crate::new_run::{Answer, Idempotency};
use crate::text::clean;
use crate::{Actor, Error, NewRun, PlannedVersion, Store, place, transaction};

/// Why there is a new run.
#[derive(Clone, Debug)]
pub enum Why {
    /// To go on from this step; `None`: from the start.
    Fork {
        from_step: Option<String>,
    },
    Appeal {
        id: Uuid,
        reason: String,
    },
}

/// What came of asking for one.
#[derive(Clone, Debug)]
pub enum Forked {
    Created,
    Replayed(Answer),
    KeyReused,
    /// There is no such run.
    NotFound,
    /// Only a run that is over stays as it is.
    NotOver(RunStatus),
    /// The version lacks these steps, whose results would be kept.
    Missing(Vec<Arc<str>>),
    /// The concurrency key of the new run is taken.
    Full {
        key: String,
        most: i32,
    },
}

impl Store {
    /// Makes a run out of one that is over, in one transaction. `planned` is the version of the new
    /// run.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn fork(
        &self,
        original: Uuid,
        run: NewRun,
        planned: &PlannedVersion,
        why: Why,
        idempotency: Option<Idempotency>,
    ) -> Result<Forked, Error> {
        let mut connection = self.pool.acquire().await?;
        loop {
            let mut transaction = transaction::begin(&mut connection).await?;
            if let Some(idempotency) = &idempotency
                && !keys::take_key(&mut transaction, idempotency).await?
            {
                transaction.rollback().await?;
                match keys::earlier_answer(&mut connection, idempotency).await? {
                    Some(crate::Enqueued::Replayed(answer)) => return Ok(Forked::Replayed(answer)),
                    Some(_) => return Ok(Forked::KeyReused),
                    // It is gone again.
                    None => continue,
                }
            }
            let forked = self
                .write_fork(&mut transaction, original, &run, planned, &why)
                .await?;
            if matches!(forked, Forked::Created) {
                transaction.commit().await?;
                self.say_work(std::iter::once(&run));
            }
            return Ok(forked);
        }
    }

    async fn write_fork(
        &self,
        transaction: &mut PgConnection,
        original: Uuid,
        run: &NewRun,
        planned: &PlannedVersion,
        why: &Why,
    ) -> Result<Forked, Error> {
        let row = sqlx::query!(
            r#"select status::text as "status!", sequence, workflow_id, version
               from stepwell.run where id = $1 for update"#,
            original
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            return Ok(Forked::NotFound);
        };
        let status = run_status(&row.status)?;
        if !status.is_terminal() {
            return Ok(Forked::NotOver(status));
        }
        let from = match why {
            Why::Fork { from_step } => from_step.as_deref(),
            Why::Appeal { .. } => None,
        };
        let kept = match from {
            None => Vec::new(),
            Some(from) => {
                let old = self.planned(row.workflow_id, row.version).await?;
                let old = old.ok_or_else(|| {
                    Error::Corrupt(format!("run {original}: its version is gone"))
                })?;
                let mut rows = load::steps(transaction, On::ALL, &[original]).await?;
                let rows = rows.remove(&original).unwrap_or_else(|| Ok(Vec::new()));
                let rows = rows.map_err(Error::Corrupt)?;
                match fork::kept(&old.plan, &rows, &planned.plan, from) {
                    Ok(kept) => kept,
                    Err(missing) => return Ok(Forked::Missing(missing)),
                }
            }
        };
        if let Some(claim) = &run.place
            && !place::refused(transaction, &[run]).await?.is_empty()
        {
            let (key, most) = (claim.key.clone(), claim.most);
            return Ok(Forked::Full { key, most });
        }
        insert_runs(transaction, RunColumns::of(std::iter::once(run))).await?;
        place::insert(transaction, std::iter::once(run)).await?;
        let small = |n: u16| i16::try_from(n).unwrap_or(i16::MAX);
        let (here, there): (Vec<i16>, Vec<i16>) = kept
            .iter()
            .map(|&(here, there)| (small(here), small(there)))
            .unzip();
        let rows = sqlx::query_file_scalar!(
            "queries/fork/steps.sql",
            original,
            run.id,
            &here,
            &there,
            clean(&run.actor.name) as _,
            run.actor.request_id.as_deref().map(clean) as _,
        )
        .fetch_one(&mut *transaction)
        .await?;
        // That it was made, why, and what it kept.
        let sequence = 2 + rows;
        sqlx::query!(
            "update stepwell.run set forked_from = $2, sequence = $3 where id = $1",
            run.id,
            original,
            sequence
        )
        .execute(&mut *transaction)
        .await?;
        // Its driver must load what it took over.
        sqlx::query!(
            "update stepwell.job set sequence = $2, fresh = false where run_id = $1",
            run.id,
            sequence
        )
        .execute(&mut *transaction)
        .await?;
        link(
            transaction,
            original,
            row.sequence + 1,
            run,
            why,
            kept.len(),
        )
        .await?;
        Ok(Forked::Created)
    }
}

/// Writes what ties the two together: a record on either side, and the appeal.
async fn link(
    transaction: &mut PgConnection,
    original: Uuid,
    sequence: i64,
    run: &NewRun,
    why: &Why,
    kept: usize,
) -> Result<(), Error> {
    sqlx::query!(
        "update stepwell.run set sequence = $2 where id = $1",
        original,
        sequence
    )
    .execute(&mut *transaction)
    .await?;
    let tell = |other: Uuid| match why {
        Why::Fork { from_step } => {
            json!({ "run_id": other, "from_step": from_step, "steps_kept": kept })
        }
        Why::Appeal { id, reason } => {
            json!({ "run_id": other, "appeal_id": id, "reason": reason })
        }
    };
    let (old, new) = match why {
        Why::Fork { .. } => ("run.forked", "run.forked_from"),
        Why::Appeal { .. } => ("run.appealed", "run.appeal_of"),
    };
    record(
        transaction,
        original,
        sequence,
        old,
        &tell(run.id),
        &run.actor,
    )
    .await?;
    record(transaction, run.id, 2, new, &tell(original), &run.actor).await?;
    if let Why::Appeal { id, reason } = why {
        sqlx::query!(
            "insert into stepwell.appeal (id, original_run_id, run_id, reason, actor, created_at)
             values ($1, $2, $3, $4, $5, $6)",
            id,
            original,
            run.id,
            clean(reason) as _,
            clean(&run.actor.name) as _,
            run.created_at as Time,
        )
        .execute(&mut *transaction)
        .await?;
    }
    Ok(())
}

async fn record(
    transaction: &mut PgConnection,
    run_id: Uuid,
    sequence: i64,
    action: &str,
    detail: &Value,
    actor: &Actor,
) -> Result<(), Error> {
    sqlx::query!(
        "insert into stepwell.audit (id, entity_type, entity_id, sequence, action, detail, actor, request_id)
         values ($1, 'run', $2, $3, $4, $5::text::json, $6, $7)",
        crate::clock::id(),
        run_id,
        sequence,
        action,
        detail.to_string(),
        clean(&actor.name) as _,
        actor.request_id.as_deref().map(clean) as _,
    )
    .execute(transaction)
    .await?;
    Ok(())
}
