//! Accepts the connections of the gRPC socket: each gets a place as those of REST do.

use std::io;
use std::sync::Arc;

use futures::Stream as Coming;
use tokio::net::{TcpListener, TcpStream};

use crate::connections::{Calm, Connections, Limits, Stream};
use crate::quiet::not_accepted;

/// Returns the connections that come.
pub(super) fn incoming(
    listener: TcpListener,
    connections: Arc<Connections>,
    limits: Limits,
) -> impl Coming<Item = io::Result<Stream<TcpStream>>> {
    let errors = Calm::default();
    futures::stream::unfold(
        (listener, connections, limits, errors),
        |(listener, connections, limits, errors)| async {
            loop {
                match listener.accept().await {
                    Err(error) => not_accepted(&error, &errors, &connections).await,
                    Ok((stream, peer)) => {
                        let entry = connections.enter(peer);
                        if let Some(stream) = Stream::new(stream, entry, &limits) {
                            return Some((Ok(stream), (listener, connections, limits, errors)));
                        }
                    }
                }
            }
        },
    )
}
