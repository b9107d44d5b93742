//! PUT `/api/v1/workflows/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::workflow::Replaced;

use super::check::{self, Checked, Purpose};
use super::get;
use super::wire::{Document, Workflow};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Result, Tagged};
use crate::body::Body;
use crate::clock::now;
use crate::etag::{self, IfMatch};
use crate::path::NameOrId;
use crate::problem::{Fault, Problem};
use crate::query::{Nothing, Query};

/// Replaces a workflow.
///
/// Another content makes the next version; runs go on with the version they began with. Name,
/// description, labels and status change without a version. `status` stays as it is when it is left
/// out. A body that changes nothing leaves the workflow and its `ETag` as they are.
#[endpoint(operation_id = "replace_workflow")]
pub async fn replace_workflow(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    if_match: IfMatch,
    body: Body<Document>,
) -> Result<Tagged<Workflow>> {
    let old = get::find(&app, &id.0).await?;
    if_match.check(old.id, old.revision)?;
    let checked = check::check(&app.store, &body.0.0, Purpose::Replace).await?;
    let same = |given: &String| *given == old.slug || *given == old.id.to_string();
    if !checked.id.iter().all(same) {
        return Err(Problem::invalid(vec![Fault::at(
            "/id",
            format!(
                "the slug of a workflow does not change; it is {:?}",
                old.slug
            ),
        )]));
    }
    let replaced = app
        .store
        .replace_workflow(
            old.id,
            checked.text,
            if_match.revisions(),
            &caller.0,
            now(),
            None,
        )
        .await?;
    match replaced {
        Replaced::Done(workflow) => Ok(Tagged {
            etag: etag::tag(workflow.id, workflow.revision),
            body: Workflow::of(*workflow)?,
        }),
        Replaced::AgentsGone(gone) => Err(Checked::without(&checked.agents, &gone)),
        Replaced::SecretsNeeded(places) => {
            let lacking = Checked::nothing_kept(&checked.secrets, &places);
            Err(check::refused(lacking))
        }
        Replaced::NoMasterKey => Err(check::refused(Checked::no_master_key(&checked.secrets))),
        Replaced::NotFound => Err(Problem::not_found("workflow", &id.0)),
        Replaced::Stale { revision } => Err(etag::stale(revision)),
        Replaced::Replayed(_) | Replaced::KeyReused => {
            Err(Problem::internal("a change without a key met one"))
        }
    }
}
