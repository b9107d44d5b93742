//! What runs do: order, failure, time, people.

mod again;
mod cancel;
mod child;
mod concurrency;
mod control;
mod crossing;
mod decide;
mod example;
mod failure;
mod fork;
mod http;
mod map;
mod order;
mod parting;
mod refused;
mod retry;
mod task;
mod time;
mod trail;
mod unbegun;
mod undo;
mod wait;
