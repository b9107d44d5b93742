//! POST `/api/v1/runs/{id}/appeal`, GET `/api/v1/runs/{id}/appeals` and GET `/api/v1/appeals`.

use salvo::Writer;
use salvo::oapi::{Parameter, ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::appeal::{self, AppealFilter};
use stepwell_queue::fork::{Forked, Why};
use uuid::Uuid;

use super::fork::{anew, refused};
use super::id::RunId;
use super::limits::REASON_CHARS_MAX;
use super::{get, place};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Found, Result};
use crate::body::Body;
use crate::clock;
use crate::example::Example;
use crate::idempotency::IdempotencyKey;
use crate::json::{Json, given};
use crate::list::{COUNT_MAX, List, Total};
use crate::moment::Moment;
use crate::page::{Page, Position};
use crate::problem::{Fault, Problem};
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "appeals";
const SORTS: &[&str] = &["created_at"];

/// Why a run is to be looked at again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "AppealInput"))]
pub struct AppealInput {
    /// For the trail of both runs.
    #[salvo(schema(min_length = 1, max_length = 1000))]
    reason: String,
    /// In place of the run's input.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Json, required = false))]
    input: Option<Json>,
}

impl Example for AppealInput {
    fn example() -> Value {
        json!({"reason": "The income was entered wrongly.", "input": {"income": 52_000}})
    }
}

/// An appeal. The run that it is against stays as it is.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Appeal"))]
pub struct Appeal {
    pub id: Uuid,
    pub original_run_id: Uuid,
    /// The new run.
    pub run_id: Uuid,
    pub reason: String,
    pub created_at: Moment,
}

impl From<appeal::Appeal> for Appeal {
    fn from(appeal: appeal::Appeal) -> Self {
        Self {
            id: appeal.id,
            original_run_id: appeal.original_run_id,
            run_id: appeal.run_id,
            reason: appeal.reason,
            created_at: appeal.created_at.into(),
        }
    }
}

impl Example for Appeal {
    fn example() -> Value {
        json!({
            "id": "0199b6d4-0c11-7d20-9a41-3c1f7a528f2e",
            "original_run_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
            "run_id": "0199b6d4-0c10-7b53-9b31-52c8f0a7d6e2",
            "reason": "The income was entered wrongly.", "created_at": "2026-03-01T12:05:00.000Z",
        })
    }
}

/// Appeals a run that is over: its version runs again from the start, as a new run that is linked to
/// it. The run itself is never touched.
#[endpoint(
    operation_id = "appeal_run",
    responses((status_code = 409, description = "The run is not over, its workflow is inactive, or there is no place under the concurrency key.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn appeal_run(
    app: App,
    caller: Caller,
    id: RunId,
    _query: Query<Nothing>,
    body: Body<AppealInput>,
    key: IdempotencyKey,
) -> Result<Accepted<Appeal>> {
    let AppealInput { reason, input } = body.0;
    if !(1..=REASON_CHARS_MAX).contains(&reason.trim().chars().count()) {
        let detail = format!("must have 1 to {REASON_CHARS_MAX} characters");
        return Err(Problem::invalid(vec![Fault::at("/reason", detail)]));
    }
    let original = get::stored(&app, id).await?;
    let workflow = original.workflow_id.to_string();
    let planned = place::find(&app, &workflow, Some(original.version), None).await?;
    let run = anew(original, input, &planned, &caller).await?;
    let appeal = Appeal {
        id: clock::id(),
        original_run_id: id.0,
        run_id: run.id,
        reason: reason.clone(),
        created_at: run.created_at.into(),
    };
    let location = place::location(&run);
    let idempotency = key.with(202, Some(location.clone()), &appeal)?;
    let why = Why::Appeal {
        id: appeal.id,
        reason,
    };
    match app
        .store
        .fork(id.0, run, &planned, why, idempotency)
        .await?
    {
        Forked::Created => Ok(Accepted::Now {
            body: appeal,
            location: Some(location),
        }),
        Forked::Replayed(answer) => Ok(Accepted::Before(answer)),
        other => Err(refused(other, id)),
    }
}

/// Which page of appeals is asked for.
#[derive(Debug)]
pub struct Asked(Page);

impl Parameters for Asked {
    fn read(reader: &mut Reader) -> Self {
        Self(Page::read(reader, LIST, SORTS))
    }

    fn describe() -> Vec<Parameter> {
        Page::describe(LIST, SORTS)
    }
}

/// Lists the appeals against a run, newest first.
#[endpoint(operation_id = "list_run_appeals")]
pub async fn list_run_appeals(
    app: App,
    id: RunId,
    query: Query<Asked>,
) -> Result<Found<List<Appeal>>> {
    get::stored(&app, id).await?;
    list(&app, Some(id.0), &query.0.0).await.map(Found)
}

/// Lists all appeals, newest first.
#[endpoint(operation_id = "list_appeals")]
pub async fn list_appeals(app: App, query: Query<Asked>) -> Result<Found<List<Appeal>>> {
    list(&app, None, &query.0.0).await.map(Found)
}

async fn list(app: &App, original: Option<Uuid>, page: &Page) -> Result<List<Appeal>> {
    let filter = AppealFilter {
        original_run_id: original,
        oldest_first: !page.descending,
        after: page.after.as_ref().map(|position| position.id),
        offset: page.offset.into(),
        limit: i64::from(page.limit) + 1,
    };
    let mut appeals = app.store.appeals(&filter).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = appeals.len() > limit;
    appeals.truncate(limit);
    let total = if page.count {
        let count = app.store.count_appeals(&filter, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let next_cursor = appeals.last().filter(|_| more).map(|last| {
        page.cursor(Position {
            key: String::new(),
            id: last.id,
        })
    });
    Ok(List {
        items: appeals.into_iter().map(Appeal::from).collect(),
        next_cursor,
        total,
    })
}
