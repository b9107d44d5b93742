//! The log of a run, oldest line first.

use stepwell_workflow::Time;
use uuid::Uuid;

use super::Level;
use crate::{Error, Store};

/// A line as it was kept.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// A UUIDv7: later lines have greater ones.
    pub id: Uuid,
    pub at: Time,
    pub step: String,
    pub attempt: i16,
    pub level: Level,
    pub message: String,
}

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct LineFilter {
    /// Of a step, or an item of a map, by name.
    pub step: Option<String>,
    /// At least so important.
    pub level: Option<Level>,
}

/// One page.
#[derive(Debug)]
pub struct LinePage {
    pub lines: Vec<LogLine>,
    /// Whether there are more after it.
    pub more: bool,
}

impl Store {
    /// Lists lines after this one (`None`: from the first). `None`: there is no such run.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn lines(
        &self,
        run_id: Uuid,
        filter: &LineFilter,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Option<LinePage>, Error> {
        let rows = sqlx::query!(
            "select id, at, step, attempt, level, message from stepwell.log
             where run_id = $1 and id > $2 and ($3::text is null or step = $3) and level >= $4
             order by id limit $5",
            run_id,
            after.unwrap_or_default(),
            filter.step,
            filter.level.unwrap_or(Level::Trace).number(),
            limit + 1,
        )
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() && !self.run_exists(run_id).await? {
            return Ok(None);
        }
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        let lines = rows
            .into_iter()
            .take(limit)
            .map(|row| LogLine {
                id: row.id,
                at: row.at,
                step: row.step,
                attempt: row.attempt,
                level: Level::of_number(row.level),
                message: row.message,
            })
            .collect();
        Ok(Some(LinePage { lines, more }))
    }
}
