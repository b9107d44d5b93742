//! GET `/api/v1/runs`.

use std::collections::BTreeMap;

use salvo::Writer;
use salvo::oapi::{BasicType, KnownFormat, Object, Parameter, endpoint};
use stepwell_queue::run::{RunFilter, RunPage};
use stepwell_workflow::{RunStatus, Time};
use uuid::Uuid;

use super::limits::STATUSES;
use super::wire::Run;
use crate::App;
use crate::answer::{Found, Result};
use crate::labels;
use crate::list::{COUNT_MAX, List, Total};
use crate::openapi::{repeatable, text_of};
use crate::page::{Page, Position, parameter};
use crate::query::{Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "runs";
const SORTS: &[&str] = &["created_at"];

/// What a list of runs is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    statuses: Vec<&'static str>,
    workflow: Option<String>,
    created_after: Option<Time>,
    created_before: Option<Time>,
    labels: BTreeMap<String, String>,
    queue: Option<String>,
    parent_id: Option<Uuid>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            statuses: reader.some_of("status", STATUSES),
            workflow: reader.text("workflow_id"),
            created_after: reader.time("created_after"),
            created_before: reader.time("created_before"),
            labels: labels::read(reader),
            queue: reader.text("queue"),
            parent_id: reader.uuid("parent_id"),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let id = "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41";
        let mut all = vec![
            repeatable(
                "status",
                "Only those; repeated: any of them.",
                word().enum_values(STATUSES.iter().copied()),
                "failed",
            ),
            parameter(
                "workflow_id",
                "Runs of this workflow, by id or slug.",
                word(),
                "my-workflow".into(),
            ),
            parameter(
                "created_after",
                "Created at this time or later, to the millisecond.",
                text_of(KnownFormat::DateTime),
                "2026-03-01T00:00:00Z".into(),
            ),
            parameter(
                "created_before",
                "Created before this time, to the millisecond.",
                text_of(KnownFormat::DateTime),
                "2026-04-01T00:00:00Z".into(),
            ),
            repeatable(
                "label",
                "Those with this label, as `key:value`; repeated: with all of them.",
                labels::schema(),
                "team:payments",
            ),
            parameter("queue", "Runs of this queue.", word(), "default".into()),
            parameter(
                "parent_id",
                "Runs that this run started.",
                text_of(KnownFormat::Uuid),
                id.into(),
            ),
        ];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists runs, newest first. A workflow that does not exist has none.
#[endpoint(operation_id = "list_runs")]
pub async fn list_runs(app: App, query: Query<Filter>) -> Result<Found<List<Run>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let workflow_id = match &asked.workflow {
        None => None,
        Some(name) => match workflow_id(&app, name).await? {
            Some(id) => Some(id),
            None => return Ok(Found(nothing(page))),
        },
    };
    let statuses = asked.statuses.iter().filter_map(|word| status(word));
    let filter = RunFilter {
        statuses: statuses.collect(),
        workflow_id,
        created_after: asked.created_after,
        created_before: asked.created_before,
        labels: asked.labels,
        queue: asked.queue,
        parent_id: asked.parent_id,
        oldest_first: !page.descending,
        after: page.after.as_ref().map(|position| position.id),
        offset: page.offset.into(),
        limit: page.limit.into(),
    };
    let RunPage { runs, more } = app.store.runs(&filter).await?;
    let total = if page.count {
        let count = app.store.count_runs(&filter, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let next_cursor = runs.last().filter(|_| more).map(|last| {
        page.cursor(Position {
            key: String::new(),
            id: last.id,
        })
    });
    Ok(Found(List {
        items: runs.into_iter().map(Run::from).collect(),
        next_cursor,
        total,
    }))
}

/// Runs outlive their workflow, so an id is taken as it is; a slug is that of a living workflow.
pub(super) async fn workflow_id(app: &App, name: &str) -> Result<Option<Uuid>> {
    if let Ok(id) = Uuid::try_parse(name) {
        return Ok(Some(id));
    }
    Ok(app.store.workflow(name).await?.map(|found| found.id))
}

fn nothing(page: &Page) -> List<Run> {
    List {
        items: Vec::new(),
        next_cursor: None,
        total: page.count.then_some(Total::exact(0)),
    }
}

pub(super) fn status(word: &str) -> Option<RunStatus> {
    serde_json::from_value(word.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::{RunStatus, STATUSES, status};

    #[test]
    fn every_status_is_known() {
        for word in STATUSES {
            assert_eq!(status(word).map(RunStatus::as_str), Some(*word));
        }
    }
}
