//! A stream of updates ends with the credential that opened it.

use std::future::ready;

use futures::StreamExt as _;
use futures::stream;
use tonic::{Code, Status};

use super::Updates;
use crate::auth::Pass;

/// Streams updates for as long as the credential is good.
pub(super) fn guarded(updates: Updates, pass: Pass) -> Updates {
    let words = "The credential is revoked or has expired.";
    let refused = stream::once(pass.ended())
        .map(move |()| Some(Err(Status::new(Code::Unauthenticated, words))));
    // The end of the updates is an entry of its own, as the other stream has none.
    let updates = updates.map(Some).chain(stream::iter([None]));
    stream::select(updates, refused)
        .take_while(|next| ready(next.is_some()))
        .filter_map(ready)
        .boxed()
}
