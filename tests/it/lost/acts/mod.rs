//! What real processes are made to do, so that each statement they have is sent by one of them.

mod agents;
mod elsewhere;
mod events;
mod keyed;
pub(super) mod maintenance;
mod resources;
mod runs;
mod schedules;
mod workers;

use futures::future::LocalBoxFuture;
use serde_json::{Value, json};

use super::stage::{Role, Stage};

type Part = for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, ()>;

/// A part of the play: prepared before the process under test starts, and then played.
#[derive(Clone, Copy)]
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) role: Role,
    pub(super) prepare: Part,
    pub(super) play: Part,
    /// It is about what the process does when it starts.
    pub(super) early: bool,
    /// No API is beside it, which would do the same.
    pub(super) alone: bool,
}

macro_rules! act {
    ($role:ident $module:ident $name:ident) => {
        act!($role $module $name, false)
    };
    ($role:ident $module:ident $name:ident, $early:literal) => {
        Act {
            name: stringify!($name),
            role: Role::$role,
            prepare: |stage| Box::pin($module::prepare(stage)),
            play: |stage| Box::pin($module::$name(stage)),
            early: $early,
            alone: false,
        }
    };
}

const fn alone(act: Act) -> Act {
    Act { alone: true, ..act }
}

pub(super) const ACTS: &[Act] = &[
    act!(Worker runs run),
    act!(Worker runs large),
    act!(Worker keyed queue),
    act!(Worker keyed replace),
    act!(Worker agents seats),
    act!(Worker elsewhere children),
    act!(Worker elsewhere put_up),
    act!(Worker events told),
    act!(Worker events refused),
    alone(act!(Worker schedules fire)),
    act!(Worker workers rescue),
    act!(Worker workers limited),
    act!(Worker workers leave),
    act!(Worker workers lingering, true),
    alone(act!(Worker maintenance tidy_up, true)),
    act!(Api runs start),
    act!(Api runs change),
    act!(Api runs again),
    act!(Api keyed ask),
    act!(Api agents change_agents),
    act!(Api resources workflows),
    act!(Api resources keys_and_queues),
    act!(Api resources records),
    act!(Api resources look),
    act!(Api elsewhere poll),
    act!(Api elsewhere call_back),
    act!(Api events subscriptions),
    act!(Api schedules change_schedules),
    act!(Api workers drain),
    act!(Api workers lingering, true),
];

fn transform(name: &str) -> Value {
    json!({"name": name, "type": "transform", "config": {"value": 1}})
}

fn wait() -> Value {
    json!([{"name": "w", "type": "wait", "config": {"signal": "go"}}])
}

fn call(name: &str, agent: &str) -> Value {
    json!({"name": name, "type": "agent", "config": {"agent": agent}})
}
