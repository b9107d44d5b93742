//! What runs do: order, failure, time, people.

mod again;
mod cancel;
mod child;
mod control;
mod decide;
mod example;
mod failure;
mod http;
mod map;
mod order;
mod retry;
mod task;
mod time;
mod trail;
mod wait;
