//! GET `/api/v1/schedules` and `/api/v1/schedules/{id}`.

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::schedule::{ScheduleFilter, ScheduleSort};

use super::wire::Schedule;
use crate::App;
use crate::answer::{Found, Result, Tagged};
use crate::etag;
use crate::list::{COUNT_MAX, List, Total};
use crate::page::{Page, Position, parameter};
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "schedules";
const SORTS: &[&str] = &["created_at", "name"];
const STATUSES: &[&str] = &["active", "paused"];

/// What a list of schedules is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    status: Option<&'static str>,
    name: Option<String>,
    workflow: Option<String>,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            status: reader.one_of("status", STATUSES),
            name: reader.text("name"),
            workflow: reader.text("workflow"),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let mut all = vec![
            parameter(
                "status",
                "Only those.",
                word().enum_values(STATUSES.iter().copied()),
                "active".into(),
            ),
            parameter(
                "name",
                "The one with this name.",
                word(),
                "nightly-report".into(),
            ),
            parameter(
                "workflow",
                "Those that name this workflow, as they name it.",
                word(),
                "report".into(),
            ),
        ];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists schedules, newest first.
#[endpoint(operation_id = "list_schedules")]
pub async fn list_schedules(app: App, query: Query<Filter>) -> Result<Found<List<Schedule>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let by_name = page.sort_by == "name";
    let filter = ScheduleFilter {
        status: asked.status,
        name: asked.name.as_deref(),
        workflow: asked.workflow.as_deref(),
        sort: if by_name {
            ScheduleSort::Name
        } else {
            ScheduleSort::CreatedAt
        },
        descending: page.descending,
        after: page
            .after
            .as_ref()
            .map(|position| (position.key.as_str(), position.id)),
        offset: page.offset.into(),
        limit: page.limit.into(),
    };
    let (schedules, more) = app.store.schedules(&filter).await?;
    let total = if page.count {
        let count = app.store.count_schedules(&filter, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let next_cursor = schedules.last().filter(|_| more).map(|last| {
        let key = if by_name {
            last.name.clone()
        } else {
            String::new()
        };
        page.cursor(Position { key, id: last.id })
    });
    Ok(Found(List {
        items: schedules.into_iter().map(Schedule::from).collect(),
        next_cursor,
        total,
    }))
}

/// Returns one schedule.
#[endpoint(operation_id = "get_schedule")]
pub async fn get_schedule(
    app: App,
    id: NameOrId,
    _query: Query<Nothing>,
) -> Result<Tagged<Schedule>> {
    let schedule = app.store.schedule(&id.0).await?;
    let schedule = schedule.ok_or_else(|| Problem::not_found("schedule", &id.0))?;
    Ok(Tagged {
        etag: etag::tag(schedule.id, schedule.revision),
        body: Schedule::from(schedule),
    })
}
