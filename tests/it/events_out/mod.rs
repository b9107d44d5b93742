//! What happens by the clock, and who hears of what happened: schedules, subscriptions, callbacks.

pub(crate) mod callbacks;
mod deliveries;
mod firings;
mod late;
mod lost_claims;
mod outages;
pub(crate) mod receiver;
mod restored;
mod schedules;
mod subscriptions;
