//! GET `/api/v1/agents` and `/api/v1/agents/{id}`.

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::agent::{AgentFilter, AgentSort};

use super::wire::Agent;
use crate::App;
use crate::answer::{Found, Result, Tagged};
use crate::etag;
use crate::list::{COUNT_MAX, List, Total};
use crate::page::{Page, Position, parameter};
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "agents";
const SORTS: &[&str] = &["created_at", "name"];
const STATUSES: &[&str] = &["active", "inactive"];

/// What a list of agents is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    status: Option<&'static str>,
    name: Option<String>,
    deleted: bool,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            status: reader.one_of("status", STATUSES),
            name: reader.text("name"),
            deleted: reader.flag("deleted").unwrap_or(false),
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
            parameter("name", "The one with this name.", word(), "billing".into()),
            parameter(
                "deleted",
                "Whether to list deleted ones too.",
                Object::with_type(BasicType::Boolean).default_value(false.into()),
                false.into(),
            ),
        ];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists agents, newest first. Inactive ones are listed, deleted ones only when asked for.
#[endpoint(operation_id = "list_agents")]
pub async fn list_agents(app: App, query: Query<Filter>) -> Result<Found<List<Agent>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let filter = AgentFilter {
        status: asked.status,
        name: asked.name.as_deref(),
        deleted: asked.deleted,
        sort: if page.sort_by == "name" {
            AgentSort::Name
        } else {
            AgentSort::CreatedAt
        },
        descending: page.descending,
        after: page
            .after
            .as_ref()
            .map(|position| (position.key.as_str(), position.id)),
        offset: page.offset.into(),
        // One more than asked for tells whether there is a next page.
        limit: i64::from(page.limit) + 1,
    };
    let mut agents = app.store.agents(&filter).await?;
    let total = if page.count {
        let count = app.store.count_agents(&filter, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let more = agents.len() > page.limit as usize;
    agents.truncate(page.limit as usize);
    let next_cursor = agents.last().filter(|_| more).map(|last| {
        let key = if page.sort_by == "name" {
            last.name.clone()
        } else {
            String::new()
        };
        page.cursor(Position { key, id: last.id })
    });
    Ok(Found(List {
        items: agents.into_iter().map(Agent::from).collect(),
        next_cursor,
        total,
    }))
}

/// Returns one agent.
#[endpoint(operation_id = "get_agent")]
pub async fn get_agent(app: App, id: NameOrId, _query: Query<Nothing>) -> Result<Tagged<Agent>> {
    let agent = app.store.agent(&id.0).await?;
    let agent = agent.ok_or_else(|| Problem::not_found("agent", &id.0))?;
    Ok(Tagged {
        etag: etag::tag(agent.id, agent.revision),
        body: Agent::from(agent),
    })
}
