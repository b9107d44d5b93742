//! Who reads the trail, and how far it was read. The lease only keeps the others from reading in vain;
//! that nothing is dispatched twice is the doing of the cursor, which moves from where it was read or
//! not at all.

use std::time::Duration;

use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::{Error, Store};

/// How long a leader that is silent is waited for.
pub(super) const LEASE: Duration = Duration::from_secs(6);

/// How things stand.
#[derive(Debug)]
pub(super) struct Standing {
    /// Whether another process leads.
    pub(super) led: bool,
    /// Whether anybody hears of anything.
    pub(super) wanted: bool,
    /// Since when, at the earliest.
    pub(super) wanted_since: Option<Time>,
    pub(super) cursor: Option<String>,
    /// Since the cursor was moved.
    pub(super) rested: Duration,
}

impl Store {
    pub(super) async fn outbox_standing(&self, me: Uuid) -> Result<Standing, Error> {
        let row = sqlx::query!(
            r#"select o.cursor, coalesce(o.leader <> $1 and o.leads_until > now(), false) as "led!",
                      extract(epoch from now() - o.moved_at)::float8 as "rested!",
                      least((select min(s.created_at) from stepwell.subscription s where s.status = 'active'),
                            (select min(c.created_at) from stepwell.callback c)) as wanted_since
               from stepwell.outbox o"#,
            me
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Standing {
            led: row.led,
            wanted: row.wanted_since.is_some(),
            wanted_since: row.wanted_since,
            cursor: row.cursor,
            rested: Duration::try_from_secs_f64(row.rested).unwrap_or_default(),
        })
    }

    /// Lets others lead at once.
    pub(super) async fn leave_outbox(&self, me: Uuid) -> Result<(), Error> {
        sqlx::query!(
            "update stepwell.outbox set leader = null, leads_until = now() where leader = $1",
            me
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Puts the cursor to the end of the trail while nobody hears of anything. `end`: read before.
    pub(super) async fn rest_outbox(&self, me: Uuid, end: &str) -> Result<(), Error> {
        sqlx::query!(
            "update stepwell.outbox
             set cursor = $2, moved_at = now()
             where (leader is null or leader = $1 or leads_until < now())
               and not exists (select from stepwell.subscription where status = 'active')
               and not exists (select from stepwell.callback)",
            me,
            end,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Moves the cursor on, and leads on. `false`: it is not where it was read from, or another leads.
pub(super) async fn advance(
    connection: &mut PgConnection,
    me: Uuid,
    from: Option<&str>,
    to: &str,
) -> Result<bool, Error> {
    let moved = sqlx::query!(
        "update stepwell.outbox
         set cursor = $3, leader = $1, leads_until = now() + make_interval(secs => $4), moved_at = now()
         where cursor is not distinct from $2 and (leader is null or leader = $1 or leads_until < now())",
        me,
        from,
        to,
        LEASE.as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == 1)
}
