//! Once a day one process looks at yesterday and at what is not over, and says what it found: in its log,
//! and in a table, so that the metric of every API tells the same and outlives the process that looked.

use stepwell_workflow::Time;

use super::{Found, Reach};
use crate::{Error, Store};

/// The row of the look itself: who moves it on has the day's look, so nobody else begins one.
const LOOK: &str = "look";
/// Between two looks.
const EVERY_HOURS: i32 = 24;
/// How long a look may take before another process begins it anew: who began it has died or was stopped.
const LOOK_HOURS_MAX: i32 = 1;

/// What the last look found of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub name: String,
    pub breaches: u64,
}

/// What the last look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// When it ended; a day before one that goes on; that of the schema before the first.
    pub looked_at: Time,
    pub checks: Vec<Counted>,
}

impl Store {
    /// Looks if a day has passed since anybody did. It only counts; nothing is mended.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is begun anew in an hour.
    pub(crate) async fn look_daily(&self) -> Result<(), Error> {
        let mine = sqlx::query!(
            "update stepwell.invariant set checked_at = now() - make_interval(hours => $2 - $3)
             where name = $1 and checked_at < now() - make_interval(hours => $2)",
            LOOK,
            EVERY_HOURS,
            LOOK_HOURS_MAX,
        )
        .execute(&self.pool)
        .await?;
        if mine.rows_affected() == 0 {
            return Ok(());
        }
        let found = self.look(Reach::Yesterday).await?;
        for found in &found {
            say(found);
        }
        self.keep(&found).await
    }

    async fn keep(&self, found: &[Found]) -> Result<(), Error> {
        let mut names: Vec<_> = found
            .iter()
            .map(|found| found.check.name.to_owned())
            .collect();
        let mut breaches: Vec<_> = found
            .iter()
            .map(|found| i64::try_from(found.breaches).unwrap_or(i64::MAX))
            .collect();
        let mut complete: Vec<_> = found.iter().map(|found| found.complete).collect();
        names.push(LOOK.to_owned());
        breaches.push(breaches.iter().copied().fold(0, i64::saturating_add));
        complete.push(complete.iter().all(|complete| *complete));
        // A check that there is no more goes with the look that does not know it.
        sqlx::query!(
            "with gone as (
                 delete from stepwell.invariant where name <> all ($1)
             )
             insert into stepwell.invariant (name, breaches, complete, checked_at)
             select unnest($1::text[]), unnest($2::bigint[]), unnest($3::boolean[]), now()
             on conflict (name) do update
             set breaches = excluded.breaches, complete = excluded.complete, checked_at = excluded.checked_at",
            &names,
            &breaches,
            &complete,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Returns what the last daily look found.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn breaches(&self) -> Result<Counts, Error> {
        let rows =
            sqlx::query!("select name, breaches, checked_at from stepwell.invariant order by name")
                .fetch_all(&self.pool)
                .await?;
        let mut counts = Counts {
            looked_at: Time::UNIX_EPOCH,
            checks: Vec::new(),
        };
        for row in rows {
            if row.name == LOOK {
                counts.looked_at = row.checked_at;
            } else {
                counts.checks.push(Counted {
                    name: row.name,
                    breaches: u64::try_from(row.breaches).unwrap_or_default(),
                });
            }
        }
        Ok(counts)
    }
}

fn say(found: &Found) {
    let check = found.check;
    if found.breaches > 0 {
        tracing::error!(
            check = check.name,
            breaches = found.breaches,
            examples = ?found.examples,
            remedy = check.remedy,
            "not so: {}",
            check.means
        );
    }
    if !found.complete {
        tracing::warn!(
            check = check.name,
            "the daily look did not come to its end: the database took too long"
        );
    }
}
