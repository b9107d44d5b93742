//! POST `/api/v1/workflows/{id}/tasks`, PUT and DELETE `/{id}/tasks/{task}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::Revision;
use stepwell_queue::idempotency::Remembered;
use stepwell_queue::new_run::Idempotency;
use stepwell_queue::workflow::{Replaced, Workflow};
use stepwell_workflow::told::Told;
use stepwell_workflow::validate::Finding;

use super::super::check::{self, Checked, Purpose};
use super::super::get;
use super::document::{Document, Sketch};
use super::wire::{Added, Task, TaskInput};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Gone, Result, Tagged};
use crate::body::Body;
use crate::clock::now;
use crate::etag::{self, IfMatch};
use crate::idempotency::IdempotencyKey;
use crate::path::{NameOrId, Word};
use crate::problem::{Fault, Faults, Kind, Problem};
use crate::query::{Nothing, Query};

/// Tries of a change that somebody else's change came before.
const TRIES: usize = 5;

/// Adds a step to a workflow, which makes its next version.
///
/// It stands at `position`, from 0, else at the end. In a list without `needs` and `sequence`, the
/// step after it then waits for it.
#[endpoint(
    operation_id = "create_workflow_task",
    responses((status_code = 409, description = "Another step has this name.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn create_task(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    if_match: IfMatch,
    body: Body<TaskInput>,
    key: IdempotencyKey,
) -> Result<Added> {
    let wanted = body.0.wanted(None)?;
    let name = Sketch::of(&wanted.step).name.unwrap_or_default();
    for _ in 0..TRIES {
        let old = get::find(&app, &id.0).await?;
        let mut document = Document::of(&old.definition)?;
        let place = wanted.position.unwrap_or(document.steps.len());
        if place > document.steps.len() {
            return Err(beyond(document.steps.len()));
        }
        let taken = document.place(&name).is_some();
        document.steps.insert(place, wanted.step.clone());
        let location = format!("/api/v1/workflows/{}/tasks/{name}", old.id);
        let task = Task::of(&wanted.step, place)?;
        let stored = key.with(201, Some(location.clone()), &task)?;
        // What a key made stands in its own way: its answer comes first.
        match stored.as_ref().map(|stored| app.store.recall(stored)) {
            None => {}
            Some(recalled) => match recalled.await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Added::Before(answer)),
                Remembered::Reused => return Err(IdempotencyKey::reused()),
            },
        }
        if_match.check(old.id, old.revision)?;
        if taken {
            return Err(Problem::new(
                Kind::NameTaken,
                format!("Another step has the name {name:?}."),
            )
            .with_errors(vec![Fault::at("/name", "is the name of another step")]));
        }
        let change = Change {
            document: &document,
            place: Some(place),
        };
        match change.write(&app, &caller, &old, stored.as_ref()).await? {
            Replaced::Done(workflow) => {
                return Ok(Added::Now {
                    body: task,
                    location,
                    etag: etag::tag(workflow.id, workflow.revision),
                });
            }
            Replaced::Replayed(answer) => return Ok(Added::Before(answer)),
            Replaced::KeyReused => return Err(IdempotencyKey::reused()),
            // Somebody else was faster: once more, on what they made of it.
            _ => {}
        }
    }
    Err(contended())
}

/// Replaces a step of a workflow, which makes its next version if anything differs.
///
/// With another `name`, the step is renamed; whoever names the old one is then told as a fault. With
/// another `position`, it moves.
#[endpoint(
    operation_id = "replace_workflow_task",
    responses((status_code = 404, description = "There is no such workflow, or it has no such step.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn replace_task(
    app: App,
    caller: Caller,
    id: NameOrId,
    task: Word,
    _query: Query<Nothing>,
    if_match: IfMatch,
    body: Body<TaskInput>,
) -> Result<Tagged<Task>> {
    let wanted = body.0.wanted(Some(&task.0))?;
    for _ in 0..TRIES {
        let old = get::find(&app, &id.0).await?;
        if_match.check(old.id, old.revision)?;
        let mut document = Document::of(&old.definition)?;
        let stood = document
            .place(&task.0)
            .ok_or_else(|| Problem::not_found("task", &task.0))?;
        document.steps.remove(stood);
        let place = wanted.position.unwrap_or(stood);
        if place > document.steps.len() {
            return Err(beyond(document.steps.len()));
        }
        document.steps.insert(place, wanted.step.clone());
        let change = Change {
            document: &document,
            place: Some(place),
        };
        if let Replaced::Done(workflow) = change.write(&app, &caller, &old, None).await? {
            return Ok(Tagged {
                body: Task::of(&wanted.step, place)?,
                etag: etag::tag(workflow.id, workflow.revision),
            });
        }
    }
    Err(contended())
}

/// Takes a step out of a workflow, which makes its next version.
///
/// Refused while others need it or read its result; `errors` names them.
#[endpoint(
    operation_id = "delete_workflow_task",
    responses(
        (status_code = 404, description = "There is no such workflow, or it has no such step.", body = Problem, content_type = "application/problem+json"),
        (status_code = 422, description = "Other steps need it, or it is the only one.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete_task(
    app: App,
    caller: Caller,
    id: NameOrId,
    task: Word,
    _query: Query<Nothing>,
    if_match: IfMatch,
) -> Result<Gone> {
    for _ in 0..TRIES {
        let old = get::find(&app, &id.0).await?;
        if_match.check(old.id, old.revision)?;
        let mut document = Document::of(&old.definition)?;
        let place = document
            .place(&task.0)
            .ok_or_else(|| Problem::not_found("task", &task.0))?;
        let needing = document.needing(&task.0);
        if !needing.is_empty() {
            let faults = needing.iter().map(|step| {
                Fault::at(
                    "",
                    format!("the step `{step}` needs it; change that one first"),
                )
            });
            return Err(Problem::invalid(faults.collect::<Faults>()));
        }
        document.steps.remove(place);
        let change = Change {
            document: &document,
            place: None,
        };
        if let Replaced::Done(_) = change.write(&app, &caller, &old, None).await? {
            return Ok(Gone);
        }
    }
    Err(contended())
}

/// A changed definition, and where in it the task stands that the client sent.
struct Change<'a> {
    document: &'a Document,
    place: Option<usize>,
}

impl Change<'_> {
    /// Writes it, based on the revision that was read.
    async fn write(
        &self,
        app: &App,
        caller: &Caller,
        old: &Workflow,
        key: Option<&Idempotency>,
    ) -> Result<Replaced> {
        let whole = self.document.whole()?;
        let checked = check::findings(&app.store, &whole, Purpose::Replace).await?;
        let Checked {
            text,
            agents,
            secrets,
            ..
        } = checked.map_err(|findings| self.refused(findings))?;
        let based_on = [Revision {
            of: old.id,
            number: old.revision,
        }];
        let replaced = app
            .store
            .replace_workflow(old.id, text, Some(&based_on), &caller.0, now(), key)
            .await?;
        match replaced {
            Replaced::AgentsGone(gone) => Err(Checked::without(&agents, &gone)),
            Replaced::SecretsNeeded(places) => {
                Err(self.refused(Checked::nothing_kept(&secrets, &places)))
            }
            Replaced::NoMasterKey => Err(self.refused(Checked::no_master_key(&secrets))),
            Replaced::NotFound => Err(Problem::not_found("workflow", &old.slug)),
            other => Ok(other),
        }
    }

    /// What is wrong with the task itself is told by its place in the body; what the change breaks
    /// elsewhere, by the name of the step.
    fn refused(&self, findings: Told<Finding>) -> Problem {
        let own = self.place.map(|place| format!("/steps/{place}"));
        let told = findings.into_iter().map(|mut finding| {
            let rest = own
                .as_ref()
                .and_then(|own| finding.pointer.strip_prefix(own.as_str()));
            match rest {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    finding.pointer = rest.to_owned();
                }
                _ => {
                    finding.detail = format!(
                        "{}: {}",
                        elsewhere(self.document, &finding.pointer),
                        finding.detail
                    );
                    finding.pointer = String::new();
                }
            }
            finding
        });
        check::refused(told.collect())
    }
}

/// Names what stands at a pointer into the whole definition.
fn elsewhere(document: &Document, pointer: &str) -> String {
    let place = pointer
        .strip_prefix("/steps/")
        .and_then(|rest| rest.split('/').next())
        .and_then(|place| place.parse::<usize>().ok());
    let step = place.and_then(|place| Sketch::of(document.steps.get(place)?).name);
    match step {
        Some(name) => format!("the step `{name}` ({pointer} of the workflow)"),
        None if pointer.is_empty() => "the workflow".to_owned(),
        None => format!("{pointer} of the workflow"),
    }
}

fn beyond(most: usize) -> Problem {
    Problem::invalid(vec![Fault::at(
        "/position",
        format!("must be a whole number from 0 to {most}"),
    )])
}

fn contended() -> Problem {
    Problem::new(
        Kind::StateConflict,
        "Others keep changing this workflow. Try again shortly.",
    )
}
