//! What every handler can reach: the store, the settings and the measurements of this server.

use std::sync::Arc;

use salvo::oapi::{Components, Operation};
use salvo::{Depot, Request};
use stepwell_queue::Store;
use tokio_util::sync::CancellationToken;

use crate::WebOptions;
use crate::admission::Admission;
use crate::agents::health::AskAgents;
use crate::auth::Gate;
use crate::connections::Connections;
use crate::extract::{Take, extractor};
use crate::limits::CONNECTIONS_MAX;
use crate::metrics::{Metrics, Survey, loop_samples};
use crate::problem::Problem;

/// The state of one server. Cheap to clone; an endpoint takes it as a parameter.
#[derive(Clone, Debug)]
pub struct App {
    pub store: Store,
    pub options: Arc<WebOptions>,
    pub metrics: Arc<Metrics>,
    pub survey: Arc<Survey>,
    /// Who may come in.
    pub gate: Arc<Gate>,
    /// How much of the server one party may hold.
    pub(crate) admission: Arc<Admission>,
    /// Those of this server's socket.
    pub(crate) connections: Arc<Connections>,
    /// Absent where there is no API.
    pub agents: Option<Arc<dyn AskAgents>>,
    /// Cancelled when the server is to stop.
    pub shutdown: CancellationToken,
}

impl App {
    /// Makes the state of a server that stops when `shutdown` is cancelled.
    #[must_use]
    pub fn new(
        options: WebOptions,
        store: Store,
        agents: Option<Arc<dyn AskAgents>>,
        shutdown: CancellationToken,
    ) -> Self {
        let (metrics, survey) = (Metrics::new(), Arc::<Survey>::default());
        let (counters, asked) = (store.counters(), Arc::clone(&survey));
        metrics.add(move || loop_samples(&counters));
        metrics.add(move || asked.samples());
        let admission = Arc::<Admission>::default();
        let unsure = Arc::clone(&admission.unsure);
        let gate = Arc::new(Gate::new(store.clone(), options.auth.clone(), unsure));
        Self {
            store,
            gate,
            admission,
            connections: Arc::new(Connections::new(CONNECTIONS_MAX)),
            options: Arc::new(options),
            metrics: Arc::new(metrics),
            survey,
            agents,
            shutdown,
        }
    }
}

impl Take for App {
    async fn take(_req: &mut Request, depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        depot
            .get_typed::<Self>()
            .cloned()
            .map_err(|_| Problem::internal("the router was called without its service"))
    }

    fn describe(_components: &mut Components, _operation: &mut Operation, _arg: &str) {}
}
extractor!(App);
