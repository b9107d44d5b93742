//! `/api/v1/runs`, `/api/v1/trigger`, and the execution of workflows.

pub mod answer;
pub mod appeal;
pub mod batch;
pub mod blocked;
pub mod bulk;
pub mod cancel;
pub mod check;
pub mod create;
pub mod execute;
pub mod fork;
pub mod get;
pub mod id;
pub(crate) mod input;
pub mod limits;
pub mod list;
pub mod logs;
pub mod order;
pub mod pause;
pub mod place;
pub mod report;
pub mod retry;
pub mod signal;
pub mod steps;
pub mod trail;
pub mod trigger;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;
use stepwell_workflow::RunStatus;

use crate::body::BodyLimit;
use crate::problem::{Kind, Problem};

/// Returns the routes of runs.
#[must_use]
pub fn routes() -> Router {
    let run = Router::with_path("{id}")
        .get(get::get_run)
        .push(Router::with_path("steps").get(steps::list_run_steps))
        .push(Router::with_path("audit").get(trail::list_run_audit))
        .push(Router::with_path("logs").get(logs::list_run_logs))
        .push(Router::with_path("report").get(report::get_run_report))
        .push(Router::with_path("events").get(crate::events::run::stream_run_events))
        .push(Router::with_path("cancel").post(cancel::cancel_run))
        .push(Router::with_path("retry").post(retry::retry_run))
        .push(Router::with_path("fork").post(fork::fork_run))
        .push(Router::with_path("appeal").post(appeal::appeal_run))
        .push(Router::with_path("appeals").get(appeal::list_run_appeals))
        .push(Router::with_path("pause").post(pause::pause_run))
        .push(Router::with_path("resume").post(pause::resume_run))
        .push(Router::with_path("signals/{name}").post(signal::signal_run));
    Router::new()
        .oapi_tag("Runs")
        .push(
            Router::with_path("runs")
                .post(create::create_run)
                .get(list::list_runs)
                .push(
                    Router::with_path("batch")
                        .hoop(BodyLimit(limits::BATCH_BYTES_MAX))
                        .post(batch::create_runs),
                )
                .push(Router::with_path("cancel").post(bulk::cancel_runs))
                .push(Router::with_path("retry").post(bulk::retry_runs))
                .push(run),
        )
        .push(Router::with_path("appeals").get(appeal::list_appeals))
        .push(Router::with_path("trigger").post(trigger::trigger_workflow))
}

/// The problem of asking something of a run that is over.
fn over(status: RunStatus) -> Problem {
    Problem::new(
        Kind::StateConflict,
        format!("The run is over: {}.", status.as_str()),
    )
}
