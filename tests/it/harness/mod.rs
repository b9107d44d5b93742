//! What tests stand on: a Postgres server, databases, the real binary, scripted agents, a client.

pub(crate) mod agent;
pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod faketime;
pub(crate) mod invariants;
pub(crate) mod pooler;
pub(crate) mod port;
pub(crate) mod process;
mod proof;
pub(crate) mod server;
pub(crate) mod until;
pub(crate) mod wire;

pub(crate) use agent::{Agent, Call, Reply};
pub(crate) use answer::{Answer, shows};
pub(crate) use app::{App, with_app};
pub(crate) use client::Client;
pub(crate) use database::Database;
pub(crate) use pooler::Pooler;
pub(crate) use process::Process;
pub(crate) use server::Server;
pub(crate) use until::{PATIENCE, until};
pub(crate) use wire::{Blow, Seen, Target, Wire};
