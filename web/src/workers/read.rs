//! GET `/api/v1/workers` and `/api/v1/workers/{id}`.

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::worker::MemberFilter;

use super::wire::Worker;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::{COUNT_MAX, List, Total};
use crate::openapi::repeatable;
use crate::page::{Page, Position, parameter};
use crate::path::Id;
use crate::problem::Problem;
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "workers";
const SORTS: &[&str] = &["started_at"];
const STATUSES: &[&str] = &["alive", "draining", "dead", "gone"];

/// What a list of workers is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    statuses: Vec<&'static str>,
    queue: Option<String>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            statuses: reader.some_of("status", STATUSES),
            queue: reader.text("queue"),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let mut all = vec![
            repeatable(
                "status",
                "Only those; repeated: any of them. Without it: those that live.",
                word().enum_values(STATUSES.iter().copied()),
                "alive",
            ),
            parameter(
                "queue",
                "Those that take runs from this queue.",
                word(),
                "default".into(),
            ),
        ];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists workers, newest first. Those that ended are kept for 30 days, and listed when asked for.
#[endpoint(operation_id = "list_workers")]
pub async fn list_workers(app: App, query: Query<Filter>) -> Result<Found<List<Worker>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let filter = MemberFilter {
        statuses: asked
            .statuses
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        queue: asked.queue,
        oldest_first: !page.descending,
        after: page.after.as_ref().map(|position| position.id),
        offset: page.offset.into(),
        limit: page.limit.into(),
    };
    let found = app.store.workers(&filter).await?;
    let total = if page.count {
        let all = MemberFilter {
            after: None,
            offset: 0,
            limit: COUNT_MAX,
            ..filter
        };
        let all = app.store.workers(&all).await?;
        let count = i64::try_from(all.workers.len()).unwrap_or(COUNT_MAX);
        Some(if all.more {
            Total::estimate(count + 1)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let next_cursor = found.workers.last().filter(|_| found.more).map(|last| {
        page.cursor(Position {
            key: String::new(),
            id: last.id,
        })
    });
    Ok(Found(List {
        items: found.workers.into_iter().map(Worker::from).collect(),
        next_cursor,
        total,
    }))
}

/// Returns one worker.
#[endpoint(operation_id = "get_worker")]
pub async fn get_worker(app: App, id: Id, _query: Query<Nothing>) -> Result<Found<Worker>> {
    find(&app, id).await.map(Found)
}

/// Reads the worker that a path names.
///
/// # Errors
/// 404 when there is none.
pub(super) async fn find(app: &App, id: Id) -> Result<Worker> {
    let worker = app.store.worker(id.0).await?;
    let worker = worker.ok_or_else(|| Problem::not_found("worker", &id.0.to_string()))?;
    Ok(worker.into())
}
