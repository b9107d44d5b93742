//! From the trail to those who hear of it. The audit record of a change is written in the change's own
//! commit, so the trail is the outbox, and nothing that was committed is forgotten.
//!
//! One worker at a time leads ([`leader`]): it reads records after the stored cursor ([`crate::feed`]),
//! finds out who hears of each ([`event`]), and writes events, deliveries and the new cursor in one
//! transaction ([`dispatch`]). So each event goes out to each receiver as one delivery, whoever dies.
//! While there is neither a subscription nor a callback, nothing is read, and once a minute the cursor is
//! put to the end of the trail.

mod dispatch;
mod event;
mod leader;
mod round;

pub(crate) use round::run;
