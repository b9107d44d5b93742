//! Connections that have said nothing end with the server. The framework waits for the first bytes of
//! a connection to tell HTTP/1 from HTTP/2, and does not hear there that the server stops; so a silent
//! one would hold up the end until its time for a head is over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use salvo::conn::tcp::{TcpAcceptor, TcpCoupler};
use salvo::conn::{Accepted, Acceptor, Holding};
use salvo::fuse::ArcFusePolicy;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Accepts as the inner acceptor does.
pub(crate) struct QuietAcceptor {
    inner: TcpAcceptor,
    end: CancellationToken,
}

impl QuietAcceptor {
    /// Makes one whose silent connections end with `end`.
    #[must_use]
    pub(crate) const fn new(inner: TcpAcceptor, end: CancellationToken) -> Self {
        Self { inner, end }
    }
}

type Inner = <TcpAcceptor as Acceptor>::Stream;

/// A connection.
pub(crate) struct Stream {
    inner: Inner,
    /// Until the first byte comes.
    silence: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Acceptor for QuietAcceptor {
    type Coupler = TcpCoupler<Stream>;
    type Stream = Stream;

    fn holdings(&self) -> &[Holding] {
        self.inner.holdings()
    }

    async fn accept(
        &mut self,
        fuse_policy: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        let end = self.end.clone();
        let accepted = self.inner.accept(fuse_policy).await?;
        Ok(accepted.map_into(
            |_| TcpCoupler::new(),
            |inner| Stream {
                inner,
                silence: Some(Box::pin(end.cancelled_owned())),
            },
        ))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if polled.is_ready() {
            if buffer.filled().len() > before {
                self.silence = None;
            }
            return polled;
        }
        match &mut self.silence {
            // Nothing came, and nothing will be answered: as if the client had closed.
            Some(silence) => silence.as_mut().poll(cx).map(Ok),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
