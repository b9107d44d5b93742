//! GET `/api/v1/records`.

use salvo::Writer;
use salvo::oapi::{BasicType, KnownFormat, Object, Parameter, endpoint};
use stepwell_queue::record::{RecordFilter, RecordSort};
use stepwell_workflow::Time;

use super::limits::STATUSES;
use super::wire::Record;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::{COUNT_MAX, List, Total};
use crate::openapi::{repeatable, text_of};
use crate::page::{Page, Position, parameter};
use crate::query::{Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "records";
const SORTS: &[&str] = &["created_at", "status", "category", "source"];

/// What a list of records is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    statuses: Vec<&'static str>,
    category: Option<String>,
    source: Option<String>,
    created_after: Option<Time>,
    created_before: Option<Time>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            statuses: reader.some_of("status", STATUSES),
            category: reader.text("category"),
            source: reader.text("source"),
            created_after: reader.time("created_after"),
            created_before: reader.time("created_before"),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let mut all = vec![
            repeatable(
                "status",
                "Only those; repeated: any of them.",
                word().enum_values(STATUSES.iter().copied()),
                "pending",
            ),
            parameter("category", "Of this category.", word(), "invoice".into()),
            parameter("source", "From this source.", word(), "crm".into()),
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
        ];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists records, newest first.
///
/// A page of very large payloads ends early; `next_cursor` leads on.
#[endpoint(operation_id = "list_records")]
pub async fn list_records(app: App, query: Query<Filter>) -> Result<Found<List<Record>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let sort = match page.sort_by {
        "status" => RecordSort::Status,
        "category" => RecordSort::Category,
        "source" => RecordSort::Source,
        _ => RecordSort::CreatedAt,
    };
    let filter = RecordFilter {
        statuses: asked
            .statuses
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        category: asked.category,
        source: asked.source,
        created_after: asked.created_after,
        created_before: asked.created_before,
        sort,
        ascending: !page.descending,
        after: page
            .after
            .as_ref()
            .map(|position| (position.key.clone(), position.id)),
        offset: page.offset.into(),
        limit: page.limit.into(),
    };
    let found = app.store.records(&filter).await?;
    let total = if page.count {
        let count = app.store.count_records(&filter, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let next_cursor = found.records.last().filter(|_| found.more).map(|last| {
        let key = match sort {
            RecordSort::CreatedAt => String::new(),
            RecordSort::Status => last.status.clone(),
            RecordSort::Category => last.category.clone(),
            RecordSort::Source => last.source.clone(),
        };
        page.cursor(Position { key, id: last.id })
    });
    Ok(Found(List {
        items: found.records.into_iter().map(Record::from).collect(),
        next_cursor,
        total,
    }))
}
