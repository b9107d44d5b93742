//! GET `/api/v1/keys` and `/api/v1/keys/{id}`.

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::key::KeyFilter;

use super::wire::Key;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::{COUNT_MAX, List, Total};
use crate::page::{Page, Position, parameter};
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Parameters, Query, Reader};

/// What cursors of this list are marked with.
const LIST: &str = "keys";
const SORTS: &[&str] = &["created_at"];

/// What a list of keys is filtered by.
#[derive(Debug)]
pub struct Filter {
    page: Page,
    revoked: bool,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            page: Page::read(reader, LIST, SORTS),
            revoked: reader.flag("revoked").unwrap_or(false),
        }
    }

    fn describe() -> Vec<Parameter> {
        let mut all = vec![parameter(
            "revoked",
            "Whether to list revoked ones too.",
            Object::with_type(BasicType::Boolean).default_value(false.into()),
            false.into(),
        )];
        all.extend(Page::describe(LIST, SORTS));
        all
    }
}

/// Lists keys, newest first. Revoked ones are listed only when asked for.
#[endpoint(operation_id = "list_keys")]
pub async fn list_keys(app: App, query: Query<Filter>) -> Result<Found<List<Key>>> {
    let Query(asked) = query;
    let page = &asked.page;
    let filter = KeyFilter {
        revoked: asked.revoked,
        descending: page.descending,
        after: page.after.as_ref().map(|position| position.id),
        offset: page.offset.into(),
        // One more than asked for tells whether there is a next page.
        limit: i64::from(page.limit) + 1,
    };
    let mut keys = app.store.list_keys(filter).await?;
    let total = if page.count {
        let count = app.store.count_keys(asked.revoked, COUNT_MAX + 1).await?;
        Some(if count > COUNT_MAX {
            Total::estimate(count)
        } else {
            Total::exact(count)
        })
    } else {
        None
    };
    let more = keys.len() > page.limit as usize;
    keys.truncate(page.limit as usize);
    let next_cursor = keys.last().filter(|_| more).map(|last| {
        page.cursor(Position {
            key: String::new(),
            id: last.id,
        })
    });
    Ok(Found(List {
        items: keys.into_iter().map(Key::from).collect(),
        next_cursor,
        total,
    }))
}

/// Returns one key, by its id or, while it is not revoked, by its name.
#[endpoint(operation_id = "get_key")]
pub async fn get_key(app: App, id: NameOrId, _query: Query<Nothing>) -> Result<Found<Key>> {
    let key = app.store.key(&id.0).await?;
    let key = key.ok_or_else(|| Problem::not_found("key", &id.0))?;
    Ok(Found(key.into()))
}
