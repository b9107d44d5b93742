//! A large answer while it is sent: whoever reads slowly, or not at all, holds it in our memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use salvo::Response;
use salvo::http::ResBody;
use salvo::hyper::body::{Body, Frame, SizeHint};

use super::{Party, Pool, Share, busy, kib};
use crate::problem::Problem;

/// Bytes up to which an answer is not counted: what a connection may hold anyway.
const SMALL_BYTES: usize = 64 << 10;
/// Bytes that are handed on at a time: the rest counts until its turn comes.
const PIECE_BYTES: usize = 64 << 10;
/// How long an answer waits until others are read.
const ROOM_WAIT: Duration = Duration::from_secs(5);

/// Counts the answer against the bytes that may be on their way.
///
/// # Errors
/// 503 when there was no room in time.
pub(crate) async fn hold(
    res: &mut Response,
    pool: &Arc<Pool>,
    party: &Party,
) -> Result<(), Problem> {
    let bytes = match &res.body {
        ResBody::Once(bytes) if bytes.len() > SMALL_BYTES => bytes.clone(),
        _ => return Ok(()),
    };
    let share = pool.wait(party, kib(bytes.len()), ROOM_WAIT).await;
    let share = share.ok_or_else(busy)?;
    res.body(ResBody::Boxed(Box::pin(Answer {
        left: bytes,
        _share: share,
    })));
    Ok(())
}

/// What is left to send.
struct Answer {
    left: Bytes,
    _share: Share,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let bytes = self.left.len().min(PIECE_BYTES);
        let piece = self.left.split_to(bytes);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
