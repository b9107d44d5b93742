//! The gRPC door: the contract in `web/proto`, a file per verb. It is another way in, not another
//! product: what is asked is checked, done and audited by what REST uses.
//!
//! [`door`] is what every call passes, [`status`] turns problems into statuses, [`unread`] what
//! the framework answers itself, [`server`] listens, [`incoming`] gives
//! connections their places, [`metered`] counts what they send.

mod cancel;
mod door;
mod execute;
mod execution;
mod get;
mod guarded;
mod incoming;
pub mod limits;
mod metered;
mod retry;
mod server;
mod signal;
mod status;
mod unread;
mod update;
mod value;
mod watch;

#[allow(
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::wildcard_imports,
    clippy::large_futures,
    reason = "made from the contract"
)]
pub mod wire {
    //! Messages, server and client, as the contract has them.
    tonic::include_proto!("stepwell.v1");
}

pub use server::{Bound, bind};

use futures::stream::BoxStream;
use stepwell_queue::Actor;
use tonic::{Request, Response, Status};
use wire::workflow_service_server::WorkflowService;

use crate::App;
use crate::auth::Pass;
use crate::problem::{Kind, Problem};
use crate::runs::id::RunId;
use status::refuse;

/// The contract's descriptors, for reflection.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stepwell_v1.bin"));

/// The service: every call goes to the file of its verb.
#[derive(Clone, Debug)]
struct Workflows {
    app: App,
}

impl Workflows {
    /// What a stream relies on for as long as it is open.
    async fn pass<T>(&self, request: &Request<T>) -> Pass {
        let headers = request.metadata().clone().into_headers();
        self.app.gate.pass(&headers).await
    }
}

/// A stream of updates, as the contract has it.
type Updates = BoxStream<'static, Result<wire::ExecutionUpdate, Status>>;

/// Who calls: what the door found out.
fn caller<T>(request: &Request<T>) -> Actor {
    let known = request.extensions().get::<door::Caller>();
    known.map(|caller| caller.0.clone()).unwrap_or_default()
}

/// Reads the id of an execution. What is no UUID is no execution.
fn execution_id(text: &str) -> Result<RunId, Problem> {
    uuid::Uuid::try_parse(text).map(RunId).map_err(|_| {
        let detail = format!("There is no execution {text:?}: its id is a UUID.");
        Problem::new(Kind::NotFound, detail)
    })
}

#[tonic::async_trait]
impl WorkflowService for Workflows {
    type ExecuteWorkflowStream = Updates;
    type WatchExecutionStream = Updates;

    async fn execute_workflow(
        &self,
        request: Request<wire::ExecuteWorkflowRequest>,
    ) -> Result<Response<Updates>, Status> {
        let actor = caller(&request);
        let pass = self.pass(&request).await;
        execute::execute(&self.app, request, actor.clone())
            .await
            .map(|answer| answer.map(|updates| guarded::guarded(updates, pass)))
            .map_err(|problem| refuse(&problem, &actor))
    }

    async fn get_workflow_status(
        &self,
        request: Request<wire::GetWorkflowStatusRequest>,
    ) -> Result<Response<wire::Execution>, Status> {
        let actor = caller(&request);
        let answer = get::get(&self.app, &request.into_inner()).await;
        answer
            .map(Response::new)
            .map_err(|problem| refuse(&problem, &actor))
    }

    async fn watch_execution(
        &self,
        request: Request<wire::WatchExecutionRequest>,
    ) -> Result<Response<Updates>, Status> {
        let actor = caller(&request);
        let pass = self.pass(&request).await;
        let answer = watch::watch(&self.app, &request.into_inner(), actor.clone()).await;
        answer
            .map(|updates| Response::new(guarded::guarded(updates, pass)))
            .map_err(|problem| refuse(&problem, &actor))
    }

    async fn cancel_execution(
        &self,
        request: Request<wire::CancelExecutionRequest>,
    ) -> Result<Response<wire::Execution>, Status> {
        let actor = caller(&request);
        let answer = cancel::cancel(&self.app, request.into_inner(), actor.clone()).await;
        answer
            .map(Response::new)
            .map_err(|problem| refuse(&problem, &actor))
    }

    async fn retry_execution(
        &self,
        request: Request<wire::RetryExecutionRequest>,
    ) -> Result<Response<wire::Execution>, Status> {
        let actor = caller(&request);
        let answer = retry::retry(&self.app, request.into_inner(), actor.clone()).await;
        answer
            .map(Response::new)
            .map_err(|problem| refuse(&problem, &actor))
    }

    async fn signal_execution(
        &self,
        request: Request<wire::SignalExecutionRequest>,
    ) -> Result<Response<wire::Execution>, Status> {
        let actor = caller(&request);
        let answer = signal::signal(&self.app, request.into_inner(), actor.clone()).await;
        answer
            .map(Response::new)
            .map_err(|problem| refuse(&problem, &actor))
    }
}
