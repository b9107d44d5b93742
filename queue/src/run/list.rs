//! Runs, page by page, newest or oldest first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::{RunStatus, Time};
use uuid::Uuid;

use super::Run;
use super::bounds::smallest_id;
use super::get::Row;
use crate::{Error, Store, page};

/// Statuses that a run can have: who asks for all of them asks for none.
const STATUSES: usize = 8;

/// Which runs are listed.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Any of these; none: all.
    pub statuses: Vec<RunStatus>,
    pub workflow_id: Option<Uuid>,
    /// From this millisecond on.
    pub created_after: Option<Time>,
    /// Before this millisecond.
    pub created_before: Option<Time>,
    /// All of these labels with these values.
    pub labels: BTreeMap<String, String>,
    pub queue: Option<String>,
    pub parent_id: Option<Uuid>,
    pub oldest_first: bool,
    /// The last id of the page before.
    pub after: Option<Uuid>,
    pub offset: i64,
    pub limit: i64,
}

/// One page.
#[derive(Debug)]
pub struct RunPage {
    pub runs: Vec<Run>,
    /// Whether there are more after it.
    pub more: bool,
}

impl RunFilter {
    /// Each status once; `None`: whatever it is.
    fn words(&self) -> Option<Vec<String>> {
        let words: BTreeSet<_> = self.statuses.iter().map(|s| s.as_str()).collect();
        let all = words.is_empty() || words.len() == STATUSES;
        (!all).then(|| words.into_iter().map(str::to_owned).collect())
    }

    fn labels(&self) -> Option<Json<&BTreeMap<String, String>>> {
        (!self.labels.is_empty()).then_some(Json(&self.labels))
    }
}

impl Store {
    /// Lists runs.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn runs(&self, filter: &RunFilter) -> Result<RunPage, Error> {
        self.runs_page(filter, false).await
    }

    async fn runs_page(&self, filter: &RunFilter, bare: bool) -> Result<RunPage, Error> {
        let words = filter.words();
        let from = filter.created_after.map(smallest_id);
        let until = filter.created_before.map(smallest_id);
        let rows = sqlx::query_file_as!(
            Row,
            "queries/run/list.sql",
            words.as_deref(),
            filter.workflow_id,
            from,
            until,
            filter.labels() as _,
            filter.queue,
            filter.parent_id,
            filter.after,
            filter.offset,
            filter.limit + 1,
            filter.oldest_first,
            bare,
        )
        .fetch(&self.pool);
        let (rows, more) = page::take(rows, filter.limit, Row::bytes).await?;
        let runs = rows
            .into_iter()
            .map(Run::try_from)
            .collect::<Result<_, _>>()?;
        Ok(RunPage { runs, more })
    }

    /// Returns the ids of what [`Store::runs`] would list, and whether there are more after them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn run_ids(&self, filter: &RunFilter) -> Result<(Vec<Uuid>, bool), Error> {
        let page = self.runs_page(filter, true).await?;
        Ok((page.runs.iter().map(|run| run.id).collect(), page.more))
    }

    /// Counts what [`Store::runs`] would list, up to `most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_runs(&self, filter: &RunFilter, most: i64) -> Result<i64, Error> {
        let words = filter.words();
        let count = sqlx::query_file_scalar!(
            "queries/run/count.sql",
            words.as_deref(),
            filter.workflow_id,
            filter.created_after.map(smallest_id),
            filter.created_before.map(smallest_id),
            filter.labels() as _,
            filter.queue,
            filter.parent_id,
            most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}
