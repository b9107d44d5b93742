//! The message of a call while it comes: its bytes count against the same budget as bodies of REST.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use salvo::hyper::body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Body as HttpBody;

use super::limits::{MESSAGE_BYTES_MAX, MESSAGE_COPIES};
use crate::admission::{Party, Pool, Share, kib};
use crate::body::work::Work;

/// A body whose bytes are counted.
pub(super) struct Metered {
    inner: Body,
    work: Work,
    bytes: usize,
    /// Packed: it may come to the largest message, however little of it came.
    packed: bool,
}

impl Metered {
    /// Counts the body of a call of this party. The share is held by the [`Work`], which whoever makes
    /// the call keeps until it is answered.
    pub(super) fn new(inner: Body, packed: bool, party: Party, pool: &Arc<Pool>) -> (Self, Work) {
        let work = Work::new(party, Arc::clone(pool));
        let metered = Self {
            inner,
            work: work.clone(),
            bytes: 0,
            packed,
        };
        (metered, work)
    }
}

/// A body that holds a slot for as long as it goes on.
pub(super) struct Holding(
    pub(super) Body,
    #[expect(dead_code, reason = "held")] pub(super) Share,
);

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.remaining();
            let bytes = if self.packed {
                MESSAGE_BYTES_MAX
            } else {
                self.bytes
            };
            // To wait with a half of it would be to wait for others that wait with theirs.
            if let Err(problem) = self.work.grow_now(kib(bytes * MESSAGE_COPIES)) {
                return Poll::Ready(Some(Err(Status::unavailable(problem.detail()))));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
