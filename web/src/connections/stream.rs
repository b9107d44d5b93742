//! One connection: it ends with the server while nothing came, after a while when nothing comes, and
//! when it must make room for another.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::{Entry, Ticket};
use crate::limits::SPARE_LIFE;

/// Bytes with which HTTP/2 begins; hardly a request of HTTP/1 is shorter.
const SAID_BYTES: usize = 24;

/// When a connection ends that says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The end of the server. The frameworks wait for the first bytes of a connection and do not hear
    /// there that the server stops.
    pub(crate) end: CancellationToken,
    /// How long it may say nothing.
    pub(crate) silence: Duration,
}

/// A connection with a place.
#[derive(Debug)]
pub(crate) struct Stream<S> {
    inner: S,
    ticket: Ticket,
    /// Until it said something.
    silence: Option<Silence>,
    /// It makes room.
    asked: Pin<Box<WaitForCancellationFutureOwned>>,
    /// It is one of the spare ones.
    brief: Option<Pin<Box<Sleep>>>,
    closed: bool,
}

#[derive(Debug)]
struct Silence {
    heard: usize,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    over: Pin<Box<Sleep>>,
}

impl Silence {
    /// Says why it was long enough; nothing where the server stops, which is no news.
    fn is_over(&mut self, cx: &mut Context<'_>) -> Option<&'static str> {
        if self.stopped.as_mut().poll(cx).is_ready() {
            return Some("");
        }
        let over = self.over.as_mut().poll(cx).is_ready();
        over.then_some("nothing came")
    }
}

impl<S> Stream<S> {
    /// Puts a connection that came into its place; `None` when it got none.
    pub(crate) fn new(inner: S, entry: Entry, limits: &Limits) -> Option<Self> {
        let (ticket, brief) = match entry {
            Entry::Open(ticket) => (ticket, None),
            Entry::Brief(ticket) => (ticket, Some(Box::pin(tokio::time::sleep(SPARE_LIFE)))),
            Entry::Refused => return None,
        };
        let asked = Box::pin(ticket.end.clone().cancelled_owned());
        let silence = Silence {
            heard: 0,
            stopped: Box::pin(limits.end.clone().cancelled_owned()),
            over: Box::pin(tokio::time::sleep(limits.silence)),
        };
        Some(Self {
            inner,
            ticket,
            silence: Some(silence),
            asked,
            brief,
            closed: false,
        })
    }

    /// Says whether it is to end, and arranges to be woken when it is.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.closed {
            return true;
        }
        let brief = self.brief.as_mut();
        let spent = brief.is_some_and(|life| life.as_mut().poll(cx).is_ready());
        let silence = self.silence.as_mut();
        let why = if spent || self.asked.as_mut().poll(cx).is_ready() {
            Some("others came")
        } else {
            silence.and_then(|silence| silence.is_over(cx))
        };
        if let Some(why) = why {
            if !why.is_empty() {
                self.ticket.connections.note(why);
            }
            self.closed = true;
        }
        self.closed
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // As if the client had closed.
        if self.is_over(cx) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let came = buffer.filled().len() - before;
        if let Some(silence) = &mut self.silence
            && polled.is_ready()
        {
            silence.heard += came;
            if silence.heard >= SAID_BYTES {
                self.silence = None;
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A stranger who reads nothing is not to keep its place by that.
        if self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
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
        if self.is_over(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

impl Connected for Stream<TcpStream> {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.inner.connect_info()
    }
}
