//! What a step does, by its type. Each type has its own fields in `config`.

mod approval;
mod decide;
mod delay;
mod emit;
mod http;
mod map;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::site::Site;
use super::step::{LANE_RULE, is_lane, is_name};
use super::{Kind, OnTimeout};
use crate::expression::Template;

/// Types that this version has.
const KNOWN: [&str; 12] = [
    "agent",
    "http",
    "webhook",
    "delay",
    "transform",
    "decide",
    "map",
    "wait",
    WORKFLOW,
    "task",
    "external",
    "emit",
];

/// The type that a map's `workflow` is short for.
pub(super) const WORKFLOW: &str = "workflow";

/// The field that a step's config is in.
const CONFIG: &str = "config";

/// Returns the word for the type of a step, if it is one.
pub(super) fn word(site: &Site<'_, '_, '_>) -> Option<&'static str> {
    let written = site.text("type")?;
    KNOWN.into_iter().find(|known| *known == written)
}

/// Says whether there is this type of steps.
pub(super) fn is_known(word: &str) -> bool {
    KNOWN.contains(&word)
}

/// Compiles the config of a step. `None` if something is wrong with it, or missing.
pub(super) fn compile(site: &mut Site<'_, '_, '_>, name: &Arc<str>) -> Option<Kind> {
    let kind = site.text("type")?;
    let is_item = site.item;
    let pointer = site.pointer_of(CONFIG);
    let nothing = Map::new();
    let config = match site.fields.get(CONFIG) {
        None => &nothing,
        Some(config) => config.as_object()?,
    };
    // The site's lifetime is that of the document, which an absent config is not part of.
    let mut config = Site {
        gathered: site.gathered,
        fields: config,
        pointer,
        item: is_item,
    };
    match kind {
        "agent" => agent(&mut config),
        "http" => http::compile(&mut config, "GET"),
        "webhook" => http::compile(&mut config, "POST"),
        "delay" => delay::compile(&mut config).map(Kind::Delay),
        "transform" => Some(Kind::Transform {
            value: config.template("value")?,
        }),
        "decide" => decide::compile(&mut config),
        "map" if is_item => {
            site.finding(
                "type",
                "a map inside a map is a workflow of its own: use `workflow` here",
            );
            None
        }
        "map" => map::compile(&mut config, name).map(|map| Kind::Map(Box::new(map))),
        "wait" => wait(&mut config, name),
        "workflow" => workflow(&mut config),
        "task" => task(&mut config),
        "emit" => emit::compile(&mut config),
        "external" => external(&mut config),
        _ => {
            site.finding(
                "type",
                format!(
                    "there is no step type `{kind}`; there are {}",
                    KNOWN.join(", ")
                ),
            );
            None
        }
    }
}

fn agent(site: &mut Site<'_, '_, '_>) -> Option<Kind> {
    let agent = site.name("agent");
    let input = input(site);
    let agent = agent?;
    let pointer = site.pointer_of("agent");
    let agents = &mut site.gathered.references.agents;
    agents.push((pointer, agent.to_owned()));
    Some(Kind::Agent {
        agent: agent.into(),
        input: input?,
    })
}

fn task(site: &mut Site<'_, '_, '_>) -> Option<Kind> {
    let task = site.name("task");
    let input = input(site);
    Some(Kind::Task {
        task: task?.into(),
        input: input?,
    })
}

fn external(site: &mut Site<'_, '_, '_>) -> Option<Kind> {
    let topic = site.name("topic");
    let input = input(site);
    let topic = topic?;
    if !is_lane(topic) {
        site.finding("topic", format!("a topic's name {LANE_RULE}"));
        return None;
    }
    Some(Kind::External {
        topic: topic.into(),
        input: input?,
    })
}

fn workflow(site: &mut Site<'_, '_, '_>) -> Option<Kind> {
    let workflow = workflow_name(site);
    let version = site.number("version", 1..=i32::MAX.unsigned_abs().into(), "versions");
    let version = version.and_then(|version| i32::try_from(version).ok());
    let literal = workflow.as_ref().and_then(Template::literal);
    if let (Some(name), Some(version)) = (literal.and_then(Value::as_str), version) {
        let pointer = site.pointer_of("version");
        let versions = &mut site.gathered.references.versions;
        versions.push((pointer, name.to_owned(), version));
    }
    let input = input(site);
    Some(Kind::Workflow {
        workflow: workflow?,
        version,
        input: input?,
        wait: site
            .fields
            .get("wait")
            .and_then(Value::as_bool)
            .unwrap_or(true),
    })
}

/// Compiles the field `workflow`, and notes the name if it is one.
fn workflow_name(site: &mut Site<'_, '_, '_>) -> Option<Template> {
    if site.text("workflow")?.is_empty() {
        site.finding("workflow", "this must be the name or id of a workflow");
        return None;
    }
    let template = site.template("workflow")?;
    if let Some(name) = template.literal().and_then(Value::as_str) {
        let pointer = site.pointer_of("workflow");
        let workflows = &mut site.gathered.references.workflows;
        workflows.push((pointer, name.to_owned()));
    }
    Some(template)
}

fn wait(site: &mut Site<'_, '_, '_>, name: &Arc<str>) -> Option<Kind> {
    let timeout = site.millis("timeout_ms");
    let on_timeout = match site.text("on_timeout") {
        Some("continue") => OnTimeout::Continue,
        _ => OnTimeout::Fail,
    };
    let asks = site.has("approval");
    let approval = approval::compile(site);
    if !site.has("signal") && !asks {
        site.finding(
            "signal",
            "a wait needs the name of the `signal` that it waits for",
        );
    }
    // An approval is decided under the name of its step, unless it has another.
    let signal = match site.text("signal") {
        None if asks && !site.has("signal") => name,
        written => written?,
    };
    if !is_name(signal) {
        site.finding(
            "signal",
            "a signal's name is made of letters, digits, `_` and `-`, as a step's",
        );
        return None;
    }
    if asks && approval.is_none() {
        return None;
    }
    Some(Kind::Wait {
        signal: signal.into(),
        timeout,
        on_timeout,
        approval: approval.map(Box::new),
    })
}

/// Compiles the field `input`; without it the step gets the run's input.
fn input(site: &mut Site<'_, '_, '_>) -> Option<Template> {
    if site.has("input") {
        return site.template("input");
    }
    let pointer = site.pointer_of("input");
    site.template_at(&pointer, &json!("${input}"))
}
