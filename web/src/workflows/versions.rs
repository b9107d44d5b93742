//! GET `/api/v1/workflows/{id}/versions` and `/{id}/versions/{version}`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::get;
use super::wire::Version;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::List;
use crate::onward::{Onward, cursor};
use crate::path::{NameOrId, Number};
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Lists the versions of a workflow, newest first.
#[endpoint(operation_id = "list_workflow_versions")]
pub async fn list_workflow_versions(
    app: App,
    id: NameOrId,
    query: Query<Onward>,
) -> Result<Found<List<Version>>> {
    let workflow = get::find(&app, &id.0).await?;
    let before = query
        .0
        .after
        .map(|(version, _)| i32::try_from(version).unwrap_or(0));
    let page = app
        .store
        .workflow_versions(workflow.id, before, query.0.limit.into())
        .await?;
    let last = page.versions.last().filter(|_| page.more);
    let next_cursor = last.map(|last| cursor(last.version.into(), 0));
    let items = page.versions.into_iter();
    Ok(Found(List {
        items: items
            .map(|version| Version::of(workflow.id, version))
            .collect::<Result<_>>()?,
        next_cursor,
        total: None,
    }))
}

/// Returns one version of a workflow.
#[endpoint(operation_id = "get_workflow_version")]
pub async fn get_workflow_version(
    app: App,
    id: NameOrId,
    version: Number,
    _query: Query<Nothing>,
) -> Result<Found<Version>> {
    let workflow = get::find(&app, &id.0).await?;
    let found = app.store.workflow_version(workflow.id, version.0).await?;
    let found =
        found.ok_or_else(|| Problem::not_found("version", &format!("{}/{}", id.0, version.0)))?;
    Ok(Found(Version::of(workflow.id, found)?))
}
