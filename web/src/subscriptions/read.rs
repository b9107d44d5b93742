//! GET `/api/v1/subscriptions` and `/api/v1/subscriptions/{id}`.

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::subscription::SubscriptionFilter;

use super::unknown;
use super::wire::Subscription;
use crate::App;
use crate::answer::{Found, Result, Tagged};
use crate::etag;
use crate::list::{List, Total};
use crate::page::{Page, Position, parameter};
use crate::path::Id;
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "subscriptions";
const SORTS: &[&str] = &["created_at"];
const STATUSES: &[&str] = &["active", "disabled"];

/// What a list of subscriptions is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    status: Option<&'static str>,
    workflow: Option<String>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            status: reader.one_of("status", STATUSES),
            workflow: reader.text("workflow"),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let mut all = vec![
            parameter(
                "status",
                "Only those.",
                word().enum_values(STATUSES.iter().copied()),
                "active".into(),
            ),
            parameter(
                "workflow",
                "Those that name this workflow, as they name it.",
                word(),
                "order".into(),
            ),
        ];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists subscriptions, newest first.
#[endpoint(operation_id = "list_subscriptions")]
pub async fn list_subscriptions(
    app: App,
    query: Query<Filter>,
) -> Result<Found<List<Subscription>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let filter = SubscriptionFilter {
        status: asked.status,
        workflow: asked.workflow.as_deref(),
        descending: page.descending,
        after: page.after.as_ref().map(|position| position.id),
        offset: page.offset.into(),
        // One more than asked for tells whether there is a next page.
        limit: i64::from(page.limit) + 1,
    };
    let mut subscriptions = app.store.subscriptions(&filter).await?;
    let total = match page.count {
        true => Some(Total::exact(app.store.count_subscriptions(&filter).await?)),
        false => None,
    };
    let more = subscriptions.len() > page.limit as usize;
    subscriptions.truncate(page.limit as usize);
    let next_cursor = subscriptions.last().filter(|_| more).map(|last| {
        page.cursor(Position {
            key: String::new(),
            id: last.id,
        })
    });
    Ok(Found(List {
        items: subscriptions.into_iter().map(Subscription::from).collect(),
        next_cursor,
        total,
    }))
}

/// Returns one subscription, without its secret.
#[endpoint(operation_id = "get_subscription")]
pub async fn get_subscription(
    app: App,
    id: Id,
    _query: Query<Nothing>,
) -> Result<Tagged<Subscription>> {
    let subscription = app.store.subscription(id.0).await?;
    let subscription = subscription.ok_or_else(|| unknown(id.0))?;
    Ok(Tagged {
        etag: etag::tag(subscription.id, subscription.revision),
        body: Subscription::from(subscription),
    })
}
