//! `/api/v1/subscriptions/{id}/deliveries`.

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::delivery::{Asked, DeliveryFilter};

use super::wire::Delivery;
use super::{disabled, unknown};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Found, Result};
use crate::list::{COUNT_MAX, List, Total};
use crate::page::{Page, Position, parameter};
use crate::path::Id;
use crate::problem::Problem;
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "deliveries";
const SORTS: &[&str] = &["created_at"];
const STATUSES: &[&str] = &["pending", "delivered", "failed"];

/// What a list of deliveries is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    status: Option<&'static str>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            status: reader.one_of("status", STATUSES),
        }
    }

    fn describe() -> Vec<Parameter> {
        let words = Object::with_type(BasicType::String).enum_values(STATUSES.iter().copied());
        let mut all = vec![parameter("status", "Only those.", words, "failed".into())];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists the deliveries to a subscriber, newest first.
///
/// Those that arrived are kept for 7 days, those that failed for 30.
#[endpoint(operation_id = "list_deliveries")]
pub async fn list_deliveries(
    app: App,
    id: Id,
    query: Query<Filter>,
) -> Result<Found<List<Delivery>>> {
    if app.store.subscription(id.0).await?.is_none() {
        return Err(unknown(id.0));
    }
    let page = &query.0.page;
    let filter = DeliveryFilter {
        subscription_id: id.0,
        status: query.0.status,
        descending: page.descending,
        after: page.after.as_ref().map(|position| position.id),
        offset: page.offset.into(),
        // One more than asked for tells whether there is a next page.
        limit: i64::from(page.limit) + 1,
    };
    let mut deliveries = app.store.deliveries(&filter).await?;
    let total = if page.count {
        let count = app.store.count_deliveries(&filter, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let more = deliveries.len() > page.limit as usize;
    deliveries.truncate(page.limit as usize);
    let next_cursor = deliveries.last().filter(|_| more).map(|last| {
        page.cursor(Position {
            key: String::new(),
            id: last.id,
        })
    });
    Ok(Found(List {
        items: deliveries.into_iter().map(Delivery::from).collect(),
        next_cursor,
        total,
    }))
}

/// Sends an event once more, under the same `webhook-id`, and tries it for another day.
///
/// One that is pending is sent at once.
#[endpoint(
    operation_id = "redeliver",
    responses((status_code = 409, description = "The subscription is disabled.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn redeliver(
    app: App,
    caller: Caller,
    id: Id,
    delivery: Id,
    _query: Query<Nothing>,
) -> Result<Accepted<Delivery>> {
    match app.store.redeliver(id.0, delivery.0, &caller.0).await? {
        Asked::Accepted(delivery) => Ok(Accepted::Now {
            body: Delivery::from(*delivery),
            location: None,
        }),
        Asked::NotFound => Err(Problem::not_found("delivery", &delivery.0.to_string())),
        Asked::Disabled => Err(disabled()),
    }
}
