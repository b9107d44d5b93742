//! `/api/v1/records`, `/api/v1/record-routes` and `/api/v1/reports/summary`.

pub mod create;
pub mod get;
pub mod limits;
pub mod list;
pub mod process;
pub mod routes;
mod run;
pub mod summary;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;

use crate::path::Id;
use crate::problem::Problem;

/// Returns the routes of records.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .oapi_tag("Records")
        .push(
            Router::with_path("records")
                .post(create::create_record)
                .get(list::list_records)
                .push(
                    Router::with_path("{id}")
                        .get(get::get_record)
                        .push(Router::with_path("process").post(process::process_record)),
                ),
        )
        .push(
            Router::with_path("record-routes")
                .post(routes::create_record_route)
                .get(routes::list_record_routes)
                .push(
                    Router::with_path("{id}")
                        .get(routes::get_record_route)
                        .delete(routes::delete_record_route),
                ),
        )
        .push(Router::with_path("reports/summary").get(summary::get_summary))
}

/// The problem of an id that no record has.
fn unknown(id: Id) -> Problem {
    Problem::not_found("record", &id.0.to_string())
}
