//! The listening socket of the gRPC door, and its graceful end.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;

use super::door::Door;
use super::incoming::incoming;
use super::limits::{
    CONNECTIONS_MAX, KEEPALIVE_EVERY, KEEPALIVE_TIMEOUT, MESSAGE_BYTES_MAX, QUESTION_BYTES_MAX,
    STREAMS_MAX,
};
use super::wire::workflow_service_server::WorkflowServiceServer;
use super::{DESCRIPTORS, Workflows};
use crate::connections::{Connections, Limits};
use crate::limits::{CONNECTION_WINDOW, HEADER_BYTES_MAX, REQUEST_TIMEOUT, STREAM_WINDOW};
use crate::server::open;
use crate::{App, ServeError, WebOptions};

/// A gRPC socket that is bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
}

/// Binds the socket that `options` name. From now on connections wait in its queue. Whoever may come in
/// is who may come in by REST: both doors count the same attempts and requests.
///
/// # Errors
/// [`ServeError::Bind`] when the address is taken or not ours.
pub fn bind(
    options: WebOptions,
    rest: &App,
    shutdown: CancellationToken,
) -> Result<Bound, ServeError> {
    let address = options.listen;
    let refused = |source| ServeError::Bind { address, source };
    let listener = open(address).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let app = App {
        connections: Arc::new(Connections::new(CONNECTIONS_MAX)),
        options: Arc::new(options),
        shutdown,
        ..rest.clone()
    };
    Ok(Bound {
        listener,
        address,
        app,
    })
}

impl Bound {
    /// Returns the address with the port that was really taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the token of [`bind`] is cancelled, and then until the calls in work are answered,
    /// at the longest for the grace of the options. Streams end at once: a client watches on elsewhere.
    ///
    /// # Errors
    /// [`ServeError::Serve`].
    pub async fn serve(self) -> Result<(), ServeError> {
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
            ServeError::Serve(std::io::Error::other(error))
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        health
            .set_serving::<WorkflowServiceServer<Workflows>>()
            .await;
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let workflows = WorkflowServiceServer::new(Workflows {
            app: self.app.clone(),
        })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
        .accept_compressed(CompressionEncoding::Gzip);
        let health_service = health_service.max_decoding_message_size(QUESTION_BYTES_MAX);
        let shutdown = self.app.shutdown.clone();
        let limits = Limits {
            end: shutdown.clone(),
            silence: self.app.options.patience.head,
        };
        let incoming = incoming(self.listener, Arc::clone(&self.app.connections), limits);
        let serving = Server::builder()
            .max_concurrent_streams(STREAMS_MAX)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .http2_max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
            // Until an answer begins: streams go on for as long as they like.
            .timeout(REQUEST_TIMEOUT)
            .layer(Door {
                app: self.app.clone(),
            })
            .add_service(health_service)
            // Both versions: clients of long standing know the older one only.
            .add_service(
                reflection()
                    .build_v1()
                    .map_err(|error| broken(error.into()))?
                    .max_decoding_message_size(QUESTION_BYTES_MAX),
            )
            .add_service(
                reflection()
                    .build_v1alpha()
                    .map_err(|error| broken(error.into()))?
                    .max_decoding_message_size(QUESTION_BYTES_MAX),
            )
            .add_service(workflows)
            .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(|error| broken(error.into())),
            () = shutdown.cancelled() => {}
        }
        match tokio::time::timeout(self.app.options.stop_grace, serving).await {
            Ok(ended) => ended.map_err(|error| broken(error.into())),
            // What is still in work after the grace is cut off.
            Err(_) => Ok(()),
        }
    }
}
