//! GET `/api/v1/workflows/{id}/graph`.

use std::collections::BTreeSet;

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_workflow::Plan;
use stepwell_workflow::plan::Kind;
use uuid::Uuid;

use super::get;
use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::page::parameter;
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Parameters, Query, Reader};

/// The parts of a definition that have steps.
const STEPS: &str = "steps";
const COMPENSATE: &str = "compensate";
const ON_FAILURE: &str = "on_failure";

/// Which version is shown.
#[derive(Clone, Copy, Debug)]
pub struct OfVersion(Option<i32>);

impl Parameters for OfVersion {
    fn read(reader: &mut Reader) -> Self {
        let version = reader.number("version", 1..=i32::MAX.unsigned_abs());
        Self(version.and_then(|version| i32::try_from(version).ok()))
    }

    fn describe() -> Vec<Parameter> {
        let schema = Object::with_type(BasicType::Integer)
            .minimum(1)
            .maximum(i32::MAX);
        vec![parameter(
            "version",
            "The latest when absent.",
            schema,
            1.into(),
        )]
    }
}

/// The steps of a version and what leads from one to another.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Graph"))]
pub struct Graph {
    workflow_id: Uuid,
    version: i32,
    /// In an order in which every step stands after those it waits for: first the steps, then what undoes
    /// them, then those of `on_failure`.
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "GraphNode"))]
pub struct Node {
    /// The step's name.
    id: String,
    r#type: &'static str,
    /// Of a map: the type of what runs for each item; else null.
    item_type: Option<&'static str>,
    /// Whether a condition decides if it runs.
    conditional: bool,
    /// Where it stands in the definition: in `steps`, in the `compensate` of one of them, or in
    /// `on_failure`. The latter two run only when the run does not complete.
    part: &'static str,
}

/// From one step to another.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "GraphEdge"))]
pub struct Edge {
    from: String,
    to: String,
    /// `order`: by their places in the definition or their `sequence`; `needs`: the step names the
    /// other; `data`: its expressions read the other's result; `compensate`: it undoes the other;
    /// `on_failure`: it runs after the other when the run has failed.
    why: &'static str,
}

impl Example for Graph {
    fn example() -> Value {
        json!({
            "workflow_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "version": 1,
            "nodes": [
                {"id": "fetch", "type": "http", "item_type": null, "conditional": false, "part": "steps"},
                {"id": "notify", "type": "webhook", "item_type": null, "conditional": true, "part": "steps"},
            ],
            "edges": [
                {"from": "fetch", "to": "notify", "why": "order"},
                {"from": "fetch", "to": "notify", "why": "data"},
            ],
        })
    }
}

/// Shows a workflow version as a graph.
#[endpoint(operation_id = "get_workflow_graph")]
pub async fn get_workflow_graph(
    app: App,
    id: NameOrId,
    query: Query<OfVersion>,
) -> Result<Found<Graph>> {
    let workflow = get::find(&app, &id.0).await?;
    let version = query.0.0.unwrap_or(workflow.version);
    let planned = app.store.planned(workflow.id, version).await?;
    let planned =
        planned.ok_or_else(|| Problem::not_found("version", &format!("{}/{version}", id.0)))?;
    let (nodes, edges) = drawn(&planned.plan);
    Ok(Found(Graph {
        workflow_id: workflow.id,
        version,
        nodes,
        edges,
    }))
}

fn drawn(plan: &Plan) -> (Vec<Node>, Vec<Edge>) {
    let name = |step: u16| {
        let step = plan.steps.get(usize::from(step));
        step.map(|step| step.name.to_string()).unwrap_or_default()
    };
    let mut nodes = Vec::with_capacity(plan.steps.len());
    let mut edges = Vec::new();
    let mut after = None;
    for (place, step) in (0..).zip(&plan.steps) {
        // What stands for all that undoes the run is no step of the definition.
        if matches!(step.kind, Kind::Undo) {
            continue;
        }
        let part = match step.undoes {
            Some(_) => COMPENSATE,
            None if usize::from(place) < plan.forward => STEPS,
            None => ON_FAILURE,
        };
        nodes.push(Node {
            id: step.name.to_string(),
            r#type: step.word,
            item_type: match &step.kind {
                Kind::Map(map) => Some(map.step.word),
                _ => None,
            },
            conditional: step.when.is_some(),
            part,
        });
        let mut draw = |from: &[u16], why: &'static str| {
            let from: BTreeSet<u16> = from.iter().copied().collect();
            edges.extend(from.into_iter().map(|from| Edge {
                from: name(from),
                to: step.name.to_string(),
                why,
            }));
        };
        let why = if step.names_needs { "needs" } else { "order" };
        draw(&step.needs, why);
        draw(step.undoes.as_slice(), COMPENSATE);
        if part == ON_FAILURE {
            draw(after.as_slice(), ON_FAILURE);
            after = Some(place);
        }
        draw(&step.reads, "data");
    }
    (nodes, edges)
}
