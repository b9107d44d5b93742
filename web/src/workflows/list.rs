//! GET `/api/v1/workflows`.

use std::collections::BTreeMap;

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::workflow::WorkflowFilter;

use super::wire::Workflow;
use crate::App;
use crate::answer::{Found, Result};
use crate::labels;
use crate::list::{COUNT_MAX, List, Total};
use crate::openapi::repeatable;
use crate::page::{Page, Position, parameter};
use crate::query::{Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "workflows";
const SORTS: &[&str] = &["created_at"];
const STATUSES: &[&str] = &["active", "inactive"];

/// What a list of workflows is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    name: Option<String>,
    active: Option<bool>,
    labels: BTreeMap<String, String>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            name: reader.text("name"),
            active: reader
                .one_of("status", STATUSES)
                .map(|word| word == "active"),
            labels: labels::read(reader),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let mut all = vec![
            parameter(
                "name",
                "Those whose name or slug has this in it, whatever its case.",
                word(),
                "order".into(),
            ),
            parameter(
                "status",
                "Only those.",
                word().enum_values(STATUSES.iter().copied()),
                "active".into(),
            ),
            repeatable(
                "label",
                "Those with this label, as `key:value`; repeated: with all of them.",
                labels::schema(),
                "team:payments",
            ),
        ];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists workflows with their latest versions, newest first.
///
/// A page of very large definitions ends early; `next_cursor` leads on.
#[endpoint(operation_id = "list_workflows")]
pub async fn list_workflows(app: App, query: Query<Filter>) -> Result<Found<List<Workflow>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let filter = WorkflowFilter {
        name: asked.name,
        active: asked.active,
        labels: asked.labels,
        oldest_first: !page.descending,
        after: page.after.as_ref().map(|position| position.id),
        offset: page.offset.into(),
        limit: page.limit.into(),
    };
    let found = app.store.workflows(&filter).await?;
    let total = if page.count {
        let count = app.store.count_workflows(&filter, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let next_cursor = found.workflows.last().filter(|_| found.more).map(|last| {
        page.cursor(Position {
            key: String::new(),
            id: last.id,
        })
    });
    let items = found.workflows.into_iter().map(Workflow::of);
    Ok(Found(List {
        items: items.collect::<Result<_>>()?,
        next_cursor,
        total,
    }))
}
