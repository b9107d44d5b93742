//! How many records there are, by status and by category.

use stepwell_workflow::Time;

use crate::run::bounds::smallest_id;
use crate::{Error, Store};

/// Categories that a summary names, the most frequent first: categories come from outside.
pub const CATEGORIES_MAX: usize = 100;

/// Which records are counted.
#[derive(Clone, Debug, Default)]
pub struct SummaryFilter {
    /// Any of these; none: all.
    pub statuses: Vec<String>,
    pub category: Option<String>,
    /// From this millisecond on.
    pub from: Option<Time>,
    /// Before this millisecond.
    pub to: Option<Time>,
}

/// The counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub total: i64,
    /// Statuses that occur.
    pub by_status: Vec<(String, i64)>,
    /// At most [`CATEGORIES_MAX`], the most frequent first.
    pub by_category: Vec<(String, i64)>,
    /// Records of the categories that are not named.
    pub other_categories: i64,
}

impl Store {
    /// Counts records.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn record_summary(&self, filter: &SummaryFilter) -> Result<Summary, Error> {
        let rows = sqlx::query!(
            r#"select status as "status?", category as "category?", count(*) as "count!", grouping(status) as "over_statuses!"
               from stepwell.record
               where (cardinality($1::text[]) = 0 or status = any ($1))
                 and ($2::text is null or category = $2)
                 and ($3::uuid is null or id >= $3)
                 and ($4::uuid is null or id < $4)
               group by grouping sets ((status), (category))
               order by count(*) desc, category"#,
            &filter.statuses,
            filter.category,
            filter.from.map(smallest_id),
            filter.to.map(smallest_id),
        )
        .fetch_all(&self.pool)
        .await?;
        let mut summary = Summary::default();
        for row in rows {
            match (row.over_statuses, row.status, row.category) {
                (0, Some(status), _) => {
                    summary.total += row.count;
                    summary.by_status.push((status, row.count));
                }
                (_, _, Some(category)) if summary.by_category.len() < CATEGORIES_MAX => {
                    summary.by_category.push((category, row.count));
                }
                _ => summary.other_categories += row.count,
            }
        }
        Ok(summary)
    }
}
