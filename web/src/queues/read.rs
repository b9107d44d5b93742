//! GET `/api/v1/queues` and `/api/v1/queues/{name}`.

use salvo::Writer;
use salvo::oapi::{Parameter, endpoint};
use uuid::Uuid;

use super::name::QueueName;
use super::wire::Queue;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::{List, Total};
use crate::page::{Page, Position};
use crate::problem::Problem;
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "queues";
const SORTS: &[&str] = &["name"];

/// Which page of queues is asked for.
#[derive(Debug)]
pub struct Filter(Page);

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self(Page::read(reader, LIST, SORTS))
    }

    fn describe() -> Vec<Parameter> {
        Page::describe(LIST, SORTS)
    }
}

/// Lists the queues that hold runs or attempts, that a live worker takes from, or that somebody paused or
/// limited; by name, the last first unless `sort_order` is `asc`.
#[endpoint(operation_id = "list_queues")]
pub async fn list_queues(app: App, query: Query<Filter>) -> Result<Found<List<Queue>>> {
    let Query(Filter(page)) = query;
    let descending = page.descending;
    let mut queues = app.store.queues().await?;
    if descending {
        queues.reverse();
    }
    let total = page
        .count
        .then(|| Total::exact(i64::try_from(queues.len()).unwrap_or(i64::MAX)));
    if let Some(after) = &page.after {
        queues.retain(|queue| {
            if descending {
                queue.name < after.key
            } else {
                queue.name > after.key
            }
        });
    }
    let limit = page.limit as usize;
    let more = queues.len() > page.offset as usize + limit;
    let items: Vec<Queue> = queues
        .into_iter()
        .skip(page.offset as usize)
        .take(limit)
        .map(Queue::from)
        .collect();
    let next_cursor = items.last().filter(|_| more).map(|last| {
        page.cursor(Position {
            key: last.name.clone(),
            id: Uuid::nil(),
        })
    });
    Ok(Found(List {
        items,
        next_cursor,
        total,
    }))
}

/// Tells how a queue stands.
#[endpoint(operation_id = "get_queue")]
pub async fn get_queue(app: App, name: QueueName, _query: Query<Nothing>) -> Result<Found<Queue>> {
    let queue = app.store.queue(&name.0).await?;
    let queue = queue.ok_or_else(|| Problem::not_found("queue", &name.0))?;
    Ok(Found(queue.into()))
}
