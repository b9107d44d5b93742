//! Stepwell's REST and gRPC APIs.
//!
//! Endpoints are `#[endpoint]` functions that take extractors and return answers; both write
//! themselves into the OpenAPI document. [`bind`] opens the socket, [`Bound::serve`] serves.
//! A process without an API is watched through [`bind_probes`].

pub mod actor;
mod admission;
pub mod agents;
pub mod answer;
mod apart;
pub mod app;
pub mod audit;
pub mod auth;
pub mod body;
pub mod callbacks;
pub mod clock;
mod connections;
pub mod door;
pub mod etag;
pub mod events;
pub mod example;
pub mod external;
pub mod extract;
pub mod grpc;
pub mod head;
pub mod idempotency;
pub mod json;
pub mod keys;
pub mod labels;
pub mod leftover;
pub mod limits;
pub mod list;
pub mod made;
pub mod metrics;
pub mod moment;
pub mod onward;
pub mod openapi;
pub mod page;
pub mod path;
mod payload;
pub mod problem;
pub mod query;
pub mod queues;
mod quiet;
pub mod records;
pub mod request_id;
pub mod runs;
pub mod schedules;
pub mod server;
pub mod shadow;
mod site;
pub mod subscriptions;
pub mod system;
pub mod workers;
pub mod workflows;

pub use app::App;
pub use server::{Bound, Patience, ServeError, WebOptions, bind, bind_probes};
pub use site::Hosts;

use body::none::NoBody;
use salvo::{Router, Service};

/// Returns every documented route.
#[must_use]
pub fn api() -> Router {
    Router::new().push(system::routes()).push(
        Router::with_path("api/v1")
            .push(agents::routes())
            .push(workflows::routes())
            .push(runs::routes())
            .push(callbacks::routes())
            .push(external::routes())
            .push(records::routes())
            .push(queues::routes())
            .push(workers::routes())
            .push(audit::routes())
            .push(events::routes())
            .push(keys::routes())
            .push(schedules::routes())
            .push(subscriptions::routes()),
    )
}

/// Returns the whole service: the routes, their documentation, the door before and the net below.
#[must_use]
pub fn service(app: App) -> Service {
    let api = api();
    let document = openapi::document(&api);
    let api = Router::new().hoop(NoBody::of(&document)).push(api);
    behind_door(app, Router::new().push(api).push(openapi::pages(&document)))
}

/// Returns the service of a process without an API: what tells how it is.
#[must_use]
pub fn probes(app: App) -> Service {
    behind_door(app, system::routes())
}

fn behind_door(app: App, mut router: Router) -> Service {
    head::mirror(&mut router);
    shadow::keep_apart(&mut router);
    Service::new(router)
        .hoop(door::Door::new(app))
        .catcher(problem::catcher())
}
