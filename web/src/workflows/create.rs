//! POST `/api/v1/workflows`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::workflow::{Created as Made, NewWorkflow};

use super::check::{self, Checked, Purpose};
use super::wire::{Document, Workflow};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Created, Result};
use crate::body::Body;
use crate::clock::{self, now};
use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problem::{Fault, Kind, Problem};
use crate::query::{Nothing, Query};

/// Creates a workflow with its first version.
///
/// Everything that is wrong with the definition is told at once, each with its place: 400 when only
/// its shape is wrong, 422 when it breaks a rule. The slug is `id` if given, else made of `name`.
#[endpoint(
    operation_id = "create_workflow",
    responses((status_code = 409, description = "Another workflow has this slug.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn create_workflow(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<Document>,
    key: IdempotencyKey,
) -> Result<Created<Workflow>> {
    let checked = check::check(&app.store, &body.0.0, Purpose::Create).await?;
    let slug = checked
        .slug
        .ok_or_else(|| Problem::internal("a checked workflow has no slug"))?;
    let mut new = NewWorkflow {
        id: clock::id(),
        slug,
        text: checked.text,
        actor: caller.0,
        created_at: now(),
        idempotency: None,
    };
    let workflow = new.workflow();
    let etag = etag::tag(workflow.id, workflow.revision);
    let body = Workflow::of(workflow)?;
    let location = format!("/api/v1/workflows/{}", new.id);
    new.idempotency = key.with(201, Some(location.clone()), &body)?;
    match app.store.create_workflow(&new).await? {
        Made::Done => Ok(Created::Now {
            body,
            location,
            etag,
        }),
        Made::Replayed(answer) => Ok(Created::Before(answer)),
        Made::KeyReused => Err(IdempotencyKey::reused()),
        Made::AgentsGone(gone) => Err(Checked::without(&checked.agents, &gone)),
        Made::NoMasterKey => Err(check::refused(Checked::no_master_key(&checked.secrets))),
        Made::SlugTaken => Err(taken(&new.slug, checked.id.is_some())),
    }
}

fn taken(slug: &str, chosen: bool) -> Problem {
    let pointer = if chosen { "/id" } else { "/name" };
    Problem::new(
        Kind::NameTaken,
        format!("Another workflow has the slug {slug:?}."),
    )
    .with_errors(vec![Fault::at(pointer, "is the slug of another workflow")])
}
