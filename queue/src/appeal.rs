//! Appeals: who asked for a run to be looked at again, why, and by which new run.

use stepwell_workflow::Time;
use uuid::Uuid;

use crate::{Error, Store};

/// An appeal. The run that it is against stays as it is.
#[derive(Clone, Debug)]
pub struct Appeal {
    pub id: Uuid,
    pub original_run_id: Uuid,
    /// The new run.
    pub run_id: Uuid,
    pub reason: String,
    pub actor: String,
    pub created_at: Time,
}

/// Which appeals are listed.
#[derive(Clone, Debug, Default)]
pub struct AppealFilter {
    pub original_run_id: Option<Uuid>,
    pub oldest_first: bool,
    /// The last id of the page before.
    pub after: Option<Uuid>,
    pub offset: i64,
    pub limit: i64,
}

impl Store {
    /// Lists appeals by their ids, which are in the order of time.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn appeals(&self, filter: &AppealFilter) -> Result<Vec<Appeal>, Error> {
        let appeals = sqlx::query_as!(
            Appeal,
            "select id, original_run_id, run_id, reason, actor, created_at
             from stepwell.appeal
             where ($1::uuid is null or original_run_id = $1)
               and ($2::uuid is null or case when $3 then id > $2 else id < $2 end)
             order by case when $3 then id end, case when not $3 then id end desc
             offset $4 limit $5",
            filter.original_run_id,
            filter.after,
            filter.oldest_first,
            filter.offset,
            filter.limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(appeals)
    }

    /// Counts the appeals that [`Store::appeals`] would list, up to `most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_appeals(&self, filter: &AppealFilter, most: i64) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from stepwell.appeal
                   where ($1::uuid is null or original_run_id = $1) limit $2) as counted"#,
            filter.original_run_id,
            most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}
