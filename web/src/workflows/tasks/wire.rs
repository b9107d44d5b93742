//! Tasks as clients send and see them.

use std::collections::BTreeMap;

use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Header, Object, Operation, RefOr,
    Response as Documented, Schema, ToSchema,
};
use salvo::{Depot, Request, Response, Writer, async_trait};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use stepwell_queue::new_run::Answer as Stored;

use super::super::shape::StepShape;
use crate::answer::{self, Created, Result};
use crate::example::Example;
use crate::problem::{Fault, Problem};

/// The field that a task has and a step has not.
const POSITION: &str = "position";

/// A step as it was written, with its position.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Task(Box<RawValue>);

impl Task {
    /// Shows the step at this place of the list.
    ///
    /// # Errors
    /// A fault of ours, if what is stored is no step.
    pub fn of(step: &RawValue, position: usize) -> Result<Self> {
        let mut fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(step.get()).map_err(Problem::internal)?;
        let position = to_raw_value(&position).map_err(Problem::internal)?;
        fields.insert(POSITION.to_owned(), position);
        to_raw_value(&fields).map(Self).map_err(Problem::internal)
    }
}

impl ToSchema for Task {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        StepShape::to_schema(components)
    }
}

impl Example for Task {
    fn example() -> Value {
        json!({"name": "delay", "type": "delay", "config": {"duration": 2}, "position": 0})
    }
}

/// A step as a client sends it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct TaskInput(Box<RawValue>);

/// What a client wants: the step, and where it stands.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) step: Box<RawValue>,
    /// Where it is to stand; `None`: where it stands, or at the end.
    pub(super) position: Option<usize>,
}

impl TaskInput {
    /// Parts the step from its position.
    pub(super) fn wanted(self, name: Option<&str>) -> Result<Wanted> {
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(self.0.get())
            .map_err(|_| Problem::invalid(vec![Fault::at("", "a task must be an object")]))?;
        let position = match fields.remove(POSITION) {
            None => None,
            Some(given) => Some(serde_json::from_str(given.get()).map_err(|_| {
                Problem::invalid(vec![Fault::at(
                    "/position",
                    "must be a whole number from 0",
                )])
            })?),
        };
        if let (Some(name), false) = (name, fields.contains_key("name")) {
            let name = to_raw_value(name).map_err(Problem::internal)?;
            fields.insert("name".to_owned(), name);
        }
        Ok(Wanted {
            step: to_raw_value(&fields).map_err(Problem::internal)?,
            position,
        })
    }
}

impl ToSchema for TaskInput {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        StepShape::to_schema(components)
    }
}

impl Example for TaskInput {
    fn example() -> Value {
        json!({"name": "pause", "type": "delay", "config": {"duration": 2}, "position": 0})
    }
}

/// 201 with the task; or the same again for an idempotency key, without the `ETag` of that time.
#[derive(Debug)]
pub enum Added {
    Now {
        body: Task,
        location: String,
        etag: String,
    },
    Before(Stored),
}

#[async_trait]
impl Writer for Added {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Now {
                body,
                location,
                etag,
            } => {
                let now = Created::Now {
                    body,
                    location,
                    etag,
                };
                now.write(req, depot, res).await;
            }
            Self::Before(stored) => answer::replay(res, &stored),
        }
    }
}

impl EndpointOutRegister for Added {
    fn register(components: &mut Components, operation: &mut Operation) {
        let header = |about: &str, example: &str| {
            Header::new(Object::with_type(BasicType::String))
                .description(about)
                .example(example.into())
        };
        let content = Content::new(Task::to_schema(components)).example(Task::example());
        let response = Documented::new("Created.")
            .add_content("application/json", content)
            .add_header(
                "Location",
                header(
                    "The path of the task.",
                    "/api/v1/workflows/my-workflow/tasks/pause",
                ),
            )
            .add_header(
                "ETag",
                header(
                    "The workflow's revision, for `If-Match`; not with a replayed answer.",
                    "\"0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41.2\"",
                ),
            )
            .add_header(
                "Idempotency-Replayed",
                header("`true` when this is the first answer again.", "true"),
            );
        operation.responses.insert("201", response);
    }
}
