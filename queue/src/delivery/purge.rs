//! Deliveries leave when they have had their time: the history is bounded.

use crate::{Error, Store};

/// How long deliveries that arrived are kept.
const DELIVERED_KEPT_DAYS: i32 = 7;
/// How long those that failed are kept: somebody may send them once more.
const FAILED_KEPT_DAYS: i32 = 30;
/// How long the address for a run's end is kept when the run is over: a retry has an end too.
const CALLBACKS_KEPT_DAYS: i32 = 7;
/// A run that is not found any more, or goes on for longer, calls nobody back.
const CALLBACKS_KEPT_DAYS_MAX: i32 = 400;
/// How long after its end a delivery may still say that it waits: that of a disabled subscription.
const WAITING_HOURS: i32 = 1;
/// Rows of one statement, so that none holds locks for long.
const ROWS_PER_STATEMENT: i64 = 5_000;

impl Store {
    /// Removes deliveries, events and callbacks that have had their time.
    pub(crate) async fn purge_deliveries(&self) -> Result<(), Error> {
        sqlx::query!(
            "update stepwell.delivery
             set status = 'failed', next_at = null, finished_at = now(), error = 'the subscription was disabled'
             where id = any (array(
                 select d.id from stepwell.delivery d
                 join stepwell.subscription s on s.id = d.lane
                 where s.status = 'disabled' and d.status = 'pending'
                   and d.expires_at < now() - make_interval(hours => $1)
                 limit $2 for update of d skip locked))",
            WAITING_HOURS,
            ROWS_PER_STATEMENT
        )
        .execute(&self.pool)
        .await?;
        loop {
            let gone = sqlx::query!(
                "delete from stepwell.delivery where id = any (array(
                     select id from stepwell.delivery
                     where finished_at < now() - make_interval(days => $1)
                       and (status = 'delivered' or finished_at < now() - make_interval(days => $2))
                     limit $3 for update skip locked))",
                DELIVERED_KEPT_DAYS,
                FAILED_KEPT_DAYS,
                ROWS_PER_STATEMENT
            )
            .execute(&self.pool)
            .await?;
            if i64::try_from(gone.rows_affected()).is_ok_and(|n| n < ROWS_PER_STATEMENT) {
                break;
            }
        }
        loop {
            let gone = sqlx::query!(
                "delete from stepwell.event where id = any (array(
                     select e.id from stepwell.event e
                     where e.created_at < now() - make_interval(days => $1)
                       and not exists (select from stepwell.delivery d where d.event_id = e.id)
                     limit $2))",
                DELIVERED_KEPT_DAYS,
                ROWS_PER_STATEMENT
            )
            .execute(&self.pool)
            .await?;
            if i64::try_from(gone.rows_affected()).is_ok_and(|n| n < ROWS_PER_STATEMENT) {
                break;
            }
        }
        sqlx::query!(
            "delete from stepwell.callback where run_id = any (array(
                 select c.run_id from stepwell.callback c
                 left join stepwell.run r on r.id = c.run_id
                 where r.finished_at < now() - make_interval(days => $1)
                    or c.created_at < now() - make_interval(days => $2)
                 limit $3))",
            CALLBACKS_KEPT_DAYS,
            CALLBACKS_KEPT_DAYS_MAX,
            ROWS_PER_STATEMENT
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
