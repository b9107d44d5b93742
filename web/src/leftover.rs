//! What a client still sends of a body that was answered before its end: too large, to a path that
//! does not exist, with a method that is not allowed. Over HTTP/1 it would find its connection
//! broken while it sends, and never see the answer; so the rest is read beside the answer, within
//! bounds, and thrown away.

use futures::StreamExt;
use http::Version;
use http::header::EXPECT;
use salvo::Request;
use salvo::http::ReqBody;
use salvo::hyper::body::Body;

use tokio::sync::Semaphore;

use crate::limits::{LEFTOVER_BYTES_MAX, LEFTOVER_TIMEOUT, LEFTOVERS_MAX};

static READERS: Semaphore = Semaphore::const_new(LEFTOVERS_MAX);

/// Reads on, if there is anything left, in a task of its own: the answer does not wait for it.
pub fn discard(req: &mut Request) {
    // HTTP/2 ends one stream and leaves the connection; whoever expects a word first has sent nothing.
    if req.version() >= Version::HTTP_2 || req.headers().contains_key(EXPECT) {
        return;
    }
    let body = req.take_body();
    if !body.is_end_stream()
        && let Ok(reader) = READERS.try_acquire()
    {
        tokio::spawn(async move {
            let _reader = reader;
            let _ = tokio::time::timeout(LEFTOVER_TIMEOUT, read_on(body)).await;
        });
    }
}

async fn read_on(mut body: ReqBody) {
    let mut left = LEFTOVER_BYTES_MAX;
    while let Some(Ok(frame)) = body.next().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
