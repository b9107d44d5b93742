//! Accepts the connections of the REST socket: each gets a place, and errors are told once a second.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use salvo::conn::tcp::{TcpAcceptor, TcpCoupler};
use salvo::conn::{Accepted, Acceptor, Holding};
use salvo::fuse::ArcFusePolicy;

use crate::connections::{Calm, Connections, Limits, Stream};

/// After an error: descriptors ran out, and come back when somebody leaves.
pub(crate) const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// Accepts as the inner acceptor does.
pub(crate) struct QuietAcceptor {
    inner: TcpAcceptor,
    connections: Arc<Connections>,
    limits: Limits,
    errors: Calm,
}

impl QuietAcceptor {
    /// Makes one whose connections have places in `connections`.
    #[must_use]
    pub(crate) fn new(inner: TcpAcceptor, connections: Arc<Connections>, limits: Limits) -> Self {
        Self {
            inner,
            connections,
            limits,
            errors: Calm::default(),
        }
    }
}

type Inner = <TcpAcceptor as Acceptor>::Stream;

impl Acceptor for QuietAcceptor {
    type Coupler = TcpCoupler<Stream<Inner>>;
    type Stream = Stream<Inner>;

    fn holdings(&self) -> &[Holding] {
        self.inner.holdings()
    }

    async fn accept(
        &mut self,
        fuse_policy: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        loop {
            let accepted = match self.inner.accept(fuse_policy.clone()).await {
                Ok(accepted) => accepted,
                Err(error) => {
                    not_accepted(&error, &self.errors, &self.connections).await;
                    continue;
                }
            };
            let Some(peer) = accepted.remote_addr.clone().into_std() else {
                continue;
            };
            let Accepted {
                coupler: _,
                stream,
                fuse_config,
                conn_ctrl,
                local_addr,
                remote_addr,
                http_scheme,
            } = accepted;
            let entry = self.connections.enter(peer);
            if let Some(stream) = Stream::new(stream, entry, &self.limits) {
                return Ok(Accepted {
                    coupler: TcpCoupler::new(),
                    stream,
                    fuse_config,
                    conn_ctrl,
                    local_addr,
                    remote_addr,
                    http_scheme,
                });
            }
        }
    }
}

/// Tells that a connection could not be accepted, once a second; a stranger's makes room.
pub(crate) async fn not_accepted(error: &io::Error, errors: &Calm, connections: &Connections) {
    if let Some(times) = errors.count() {
        tracing::error!(
            times,
            error = error.to_string(),
            "connections could not be accepted"
        );
    }
    connections.make_room();
    tokio::time::sleep(ERROR_PAUSE).await;
}
