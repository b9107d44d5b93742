//! `/api/v1/record-routes`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::record::{NewRoute, Route as Bound, RouteCreated};

use super::wire::{Route, RouteInput, check_word};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Found, Gone, Result};
use crate::body::Body;
use crate::clock::{self, now};
use crate::idempotency::IdempotencyKey;
use crate::list::List;
use crate::made::Made;
use crate::onward::{OnwardById, cursor_after};
use crate::path::Id;
use crate::problem::{Fault, Faults, Kind, Problem};
use crate::query::{Nothing, Query};

/// Binds the records of a category, from one source or from any, to a workflow.
#[endpoint(
    operation_id = "create_record_route",
    responses(
        (status_code = 404, description = "There is no such workflow.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "Category and source are bound already.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_record_route(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<RouteInput>,
    key: IdempotencyKey,
) -> Result<Made<Route>> {
    let input = body.0;
    let mut faults = Faults::new();
    check_word(&input.category, "/category", &mut faults);
    if let Some(source) = &input.source {
        check_word(source, "/source", &mut faults);
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let missing = || {
        Problem::not_found("workflow", &input.workflow)
            .with_errors(vec![Fault::at("/workflow", "does not exist")])
    };
    let workflow = app.store.workflow(&input.workflow).await?;
    let workflow = workflow.ok_or_else(missing)?;
    let route = Bound {
        id: clock::id(),
        category: input.category.clone(),
        source: input.source.clone(),
        workflow_id: workflow.id,
        workflow: workflow.slug,
        auto: input.auto,
        created_by: caller.0.name.clone(),
        created_at: now(),
    };
    let location = format!("/api/v1/record-routes/{}", route.id);
    let body = Route::from(route.clone());
    let new = NewRoute {
        idempotency: key.with(201, Some(location.clone()), &body)?,
        route,
        actor: caller.0,
    };
    match app.store.create_route(&new).await? {
        RouteCreated::Done => Ok(Made::Now { body, location }),
        RouteCreated::Replayed(answer) => Ok(Made::Before(answer)),
        RouteCreated::KeyReused => Err(IdempotencyKey::reused()),
        RouteCreated::WorkflowGone => Err(missing()),
        RouteCreated::Taken => Err(Problem::new(
            Kind::NameTaken,
            "This category and source are bound to a workflow already; delete that route first.",
        )),
    }
}

/// Lists the routes of records, in the order in which they were made.
#[endpoint(operation_id = "list_record_routes")]
pub async fn list_record_routes(app: App, query: Query<OnwardById>) -> Result<Found<List<Route>>> {
    let page = app
        .store
        .routes(query.0.after, query.0.limit.into())
        .await?;
    let last = page.routes.last().filter(|_| page.more);
    let next_cursor = last.map(|last| cursor_after(last.id));
    Ok(Found(List {
        items: page.routes.into_iter().map(Route::from).collect(),
        next_cursor,
        total: None,
    }))
}

/// Returns one route.
#[endpoint(operation_id = "get_record_route")]
pub async fn get_record_route(app: App, id: Id, _query: Query<Nothing>) -> Result<Found<Route>> {
    let route = app.store.route(id.0).await?;
    let route = route.ok_or_else(|| unknown(id))?;
    Ok(Found(route.into()))
}

/// Takes a route away. Records that have their run stay with it.
#[endpoint(operation_id = "delete_record_route")]
pub async fn delete_record_route(
    app: App,
    caller: Caller,
    id: Id,
    _query: Query<Nothing>,
) -> Result<Gone> {
    if app.store.delete_route(id.0, &caller.0).await? {
        Ok(Gone)
    } else {
        Err(unknown(id))
    }
}

fn unknown(id: Id) -> Problem {
    Problem::not_found("record route", &id.0.to_string())
}
