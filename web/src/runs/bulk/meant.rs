//! Which runs many are: by their ids, or by what a list is filtered by.

use std::collections::BTreeMap;

use salvo::oapi::ToSchema;
use serde::Deserialize;
use stepwell_queue::run::RunFilter;
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::App;
use crate::answer::Result;
use crate::labels;
use crate::problem::{Fault, Faults, Problem};
use crate::runs::limits::{BULK_RUNS_MAX, STATUSES};
use crate::runs::list;

/// Runs looked up at a time.
pub(super) const BATCH: i64 = 200;

/// Which runs are meant: what a list of runs is filtered by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "RunFilter"))]
pub struct FilterInput {
    /// Any of these statuses.
    #[serde(default)]
    status: Option<Vec<String>>,
    /// By id or slug.
    #[serde(default)]
    workflow_id: Option<String>,
    /// Created at this time or later, to the millisecond.
    #[serde(default)]
    created_after: Option<Time>,
    /// Created before this time, to the millisecond.
    #[serde(default)]
    created_before: Option<Time>,
    /// All of these labels.
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    queue: Option<String>,
    /// Runs that this run started.
    #[serde(default)]
    parent_id: Option<Uuid>,
}

/// Which runs are meant.
pub(super) enum Meant {
    Ids(Vec<Uuid>),
    Fitting(Box<RunFilter>),
    Nothing,
}

pub(super) async fn meant(
    app: &App,
    ids: Option<Vec<Uuid>>,
    filter: Option<FilterInput>,
    default: &[&str],
    mut faults: Faults,
) -> Result<Meant> {
    let filter = match (ids, filter) {
        (Some(mut ids), None) => {
            if !(1..=BULK_RUNS_MAX).contains(&ids.len()) {
                let detail = format!("must have 1 to {BULK_RUNS_MAX} ids, not {}", ids.len());
                faults.push(Fault::at("/ids", detail));
            }
            if faults.is_empty() {
                ids.sort_unstable();
                ids.dedup();
                return Ok(Meant::Ids(ids));
            }
            return Err(Problem::invalid(faults));
        }
        (None, Some(filter)) => filter,
        _ => {
            faults.push(Fault::at("", "give ids or filter, one of the two"));
            return Err(Problem::invalid(faults));
        }
    };
    let words = filter.status.unwrap_or_default();
    for (index, word) in words.iter().enumerate() {
        if !STATUSES.contains(&word.as_str()) {
            let detail = format!("must be one of {}, not {word:?}", STATUSES.join(", "));
            faults.push(Fault::at(format!("/filter/status/{index}"), detail));
        }
    }
    let wanted = filter.labels.unwrap_or_default();
    labels::check(&wanted, "/filter/labels", &mut faults);
    if words.is_empty()
        && wanted.is_empty()
        && filter.workflow_id.is_none()
        && filter.created_after.is_none()
        && filter.created_before.is_none()
        && filter.queue.is_none()
        && filter.parent_id.is_none()
    {
        let detail = "is empty; to mean every run, give the statuses";
        faults.push(Fault::at("/filter", detail));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let workflow_id = match &filter.workflow_id {
        None => None,
        Some(name) => match list::workflow_id(app, name).await? {
            Some(id) => Some(id),
            None => return Ok(Meant::Nothing),
        },
    };
    let statuses: Vec<&str> = if words.is_empty() {
        default.to_vec()
    } else {
        words.iter().map(String::as_str).collect()
    };
    Ok(Meant::Fitting(Box::new(RunFilter {
        statuses: statuses.into_iter().filter_map(list::status).collect(),
        workflow_id,
        created_after: filter.created_after,
        created_before: filter.created_before,
        labels: wanted,
        queue: filter.queue,
        parent_id: filter.parent_id,
        // What is made meanwhile is not meant.
        oldest_first: false,
        after: None,
        offset: 0,
        limit: BATCH,
    })))
}
