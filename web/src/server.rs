//! The listening socket: bound first, so that the caller knows the port; then served until it is
//! told to stop, and then for a bounded time until the requests in work are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use salvo::conn::tcp::TcpAcceptor;
use salvo::fuse::FuseConfig;
use salvo::{Server, Service};
use stepwell_queue::Store;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::agents::health::AskAgents;
use crate::auth::AuthOptions;
use crate::connections::Limits;
use crate::limits::{
    BODY_GAP_MAX, CONNECTION_WINDOW, HEADER_BYTES_MAX, HEADER_TIMEOUT, HEADERS_MAX, IDLE_TIMEOUT,
    STREAM_WINDOW, STREAMS_MAX,
};
use crate::quiet::QuietAcceptor;
use crate::{App, Hosts, probes, service};

/// Connections that wait to be accepted: the kernel's own bound.
const BACKLOG: u32 = 4_096;
/// By how much the framework's own limit on a head is behind that on silence.
const HEAD_SPARE: Duration = Duration::from_millis(100);

/// How the server listens and what it says of itself.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How long requests in work may go on after the stop.
    pub stop_grace: Duration,
    /// What `/version` says of where this runs: `development`, `production`, …
    pub environment: String,
    /// Who is asked for credentials.
    pub auth: AuthOptions,
    /// Names that it answers to beside addresses and `localhost`, where nobody is asked.
    pub hosts: Hosts,
    /// How long slow clients are waited for.
    pub patience: Patience,
}

/// How long a client may let the server wait. The default is what [`crate::limits`] says and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first byte of a request, or from the connection, to the end of the head.
    pub head: Duration,
    /// Between two pieces of a body.
    pub body_gap: Duration,
    /// Without anything in either direction.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: HEADER_TIMEOUT,
            body_gap: BODY_GAP_MAX,
            idle: IDLE_TIMEOUT,
        }
    }
}

/// What kept the server from listening or serving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the server broke off")]
    Serve(#[source] std::io::Error),
}

/// A socket that is bound and not yet served.
pub struct Bound {
    acceptor: TcpAcceptor,
    address: SocketAddr,
    service: Service,
    app: App,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Binds the socket of the API. From now on connections wait in its queue.
///
/// # Errors
/// [`ServeError::Bind`] when the address is taken or not ours.
pub async fn bind(
    options: WebOptions,
    store: Store,
    agents: Arc<dyn AskAgents>,
    shutdown: CancellationToken,
) -> Result<Bound, ServeError> {
    listen(App::new(options, store, Some(agents), shutdown), service).await
}

/// Binds a socket for those who watch a process that has no API: health, version and measurements.
///
/// # Errors
/// As [`bind`].
pub async fn bind_probes(
    options: WebOptions,
    store: Store,
    shutdown: CancellationToken,
) -> Result<Bound, ServeError> {
    listen(App::new(options, store, None, shutdown), probes).await
}

async fn listen(app: App, service: fn(App) -> Service) -> Result<Bound, ServeError> {
    let address = app.options.listen;
    let refused = |source| ServeError::Bind { address, source };
    let listener = open(address).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let acceptor = TcpAcceptor::try_from(listener).map_err(refused)?;
    Ok(Bound {
        acceptor,
        address,
        service: service(app.clone()),
        app,
    })
}

/// Connections inherit TCP_NODELAY from the socket that accepts them. Without it, a stream's second
/// small message waits until the first is acknowledged, and clients take up to 40 ms for that.
pub(crate) fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // As `TcpListener::bind` does: a restart is not to wait for connections that just ended.
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Bound {
    /// Returns the address with the port that was really taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the state, for those who add measurements.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Serves until the token of [`bind`] is cancelled and what was in work is answered, at the
    /// longest for the grace of the options.
    ///
    /// # Errors
    /// [`ServeError::Serve`].
    pub async fn serve(self) -> Result<(), ServeError> {
        let end = self.app.shutdown.clone();
        self.serve_until(end).await
    }

    /// As [`Bound::serve`], until another token is cancelled: `/health/ready` says so from the
    /// cancellation of the first one.
    ///
    /// # Errors
    /// [`ServeError::Serve`].
    pub async fn serve_until(self, end: CancellationToken) -> Result<(), ServeError> {
        let patience = self.app.options.patience;
        let fuse = FuseConfig::default()
            // Ours comes first, and says so once a second.
            .with_http1_header_timeout(patience.head + HEAD_SPARE)
            .with_connection_idle_timeout(patience.idle)
            .with_request_body_timeout(patience.body_gap);
        let limits = Limits {
            end: end.clone(),
            silence: patience.head,
        };
        let connections = Arc::clone(&self.app.connections);
        let acceptor = QuietAcceptor::new(self.acceptor, connections, limits);
        let mut server = Server::new(acceptor).fuse_config(fuse);
        server
            .http1_mut()
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX);
        server
            .http2_mut()
            .max_concurrent_streams(STREAMS_MAX)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX));
        let handle = server.handle();
        let serving = server.try_serve(self.service);
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(ServeError::Serve),
            () = end.cancelled() => {}
        }
        handle.stop_graceful(self.app.options.stop_grace);
        serving.await.map_err(ServeError::Serve)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use tokio::net::TcpStream;

    use super::open;

    #[tokio::test]
    async fn connections_keep_no_small_message_back() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = open(address.parse().unwrap()) else {
                // A machine without IPv6.
                assert!(address.starts_with('['));
                continue;
            };
            let client = TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            assert!(accepted.nodelay().unwrap(), "{address}");
            drop(client);
        }
    }
}
