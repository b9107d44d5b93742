//! Which workflow processes records of a category: those from one source, or those from any.

use serde_json::json;
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::audit::{self, Entry};
use crate::idempotency::{self, Remembered};
use crate::new_run::{Answer, Idempotency};
use crate::text::clean;
use crate::{Actor, Error, Store, transaction};

/// The entity type of audit records.
const ENTITY: &str = "record_route";

/// A category, bound to a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub id: Uuid,
    pub category: String,
    /// `None`: any.
    pub source: Option<String>,
    pub workflow_id: Uuid,
    /// The workflow's slug.
    pub workflow: String,
    /// Whether records are processed as soon as they come in.
    pub auto: bool,
    pub created_by: String,
    pub created_at: Time,
}

/// A route to be made.
#[derive(Clone, Debug)]
pub struct NewRoute {
    pub route: Route,
    pub actor: Actor,
    pub idempotency: Option<Idempotency>,
}

/// What came of making a route.
#[derive(Clone, Debug)]
pub enum RouteCreated {
    Done,
    /// Category and source are bound already.
    Taken,
    /// The workflow was deleted meanwhile.
    WorkflowGone,
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
}

/// One page, in the order in which the routes were made.
#[derive(Debug)]
pub struct RoutePage {
    pub routes: Vec<Route>,
    /// Whether there are more after it.
    pub more: bool,
}

impl Store {
    /// Binds a category to a workflow.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn create_route(&self, new: &NewRoute) -> Result<RouteCreated, Error> {
        let route = &new.route;
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if let Some(idempotency) = &new.idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(RouteCreated::Replayed(answer)),
                Remembered::Reused => return Ok(RouteCreated::KeyReused),
            }
        }
        let workflow = sqlx::query!(
            "select from stepwell.workflow where id = $1 and deleted_at is null for key share",
            route.workflow_id
        )
        .fetch_optional(&mut *transaction)
        .await?;
        if workflow.is_none() {
            return Ok(RouteCreated::WorkflowGone);
        }
        let made = sqlx::query!(
            "insert into stepwell.record_route
                 (id, category, source, workflow_id, auto, created_by, created_at)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (category, coalesce(source, '')) do nothing",
            route.id,
            clean(&route.category) as _,
            route.source.as_deref().map(clean) as _,
            route.workflow_id,
            route.auto,
            clean(&new.actor.name) as _,
            route.created_at,
        )
        .execute(&mut *transaction)
        .await?;
        if made.rows_affected() == 0 {
            return Ok(RouteCreated::Taken);
        }
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: route.id,
            sequence: 1,
            action: "record_route.created",
            before: None,
            after: Some(route.shown()),
            actor: &new.actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(RouteCreated::Done)
    }

    /// Takes a route away; `false`: there is none. Records that were given to a run stay with it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_route(&self, id: Uuid, actor: &Actor) -> Result<bool, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let gone = sqlx::query_as!(
            Route,
            "delete from stepwell.record_route r using stepwell.workflow w
             where r.id = $1 and w.id = r.workflow_id
             returning r.id, r.category, r.source, r.workflow_id, w.slug as workflow, r.auto,
                       r.created_by, r.created_at",
            id
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(route) = gone else { return Ok(false) };
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: id,
            sequence: 2,
            action: "record_route.deleted",
            before: Some(route.shown()),
            after: None,
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Returns the route of such a record: that of its source before that of any.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn route_of(&self, category: &str, source: &str) -> Result<Option<Route>, Error> {
        let route = sqlx::query_as!(
            Route,
            "select r.id, r.category, r.source, r.workflow_id, w.slug as workflow, r.auto, r.created_by,
                    r.created_at
             from stepwell.record_route r join stepwell.workflow w on w.id = r.workflow_id
             where r.category = $1 and coalesce(r.source, '') in ($2, '')
             order by r.source is null
             limit 1",
            category,
            source,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(route)
    }

    /// Reads one route.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn route(&self, id: Uuid) -> Result<Option<Route>, Error> {
        let route = sqlx::query_as!(
            Route,
            "select r.id, r.category, r.source, r.workflow_id, w.slug as workflow, r.auto, r.created_by,
                    r.created_at
             from stepwell.record_route r join stepwell.workflow w on w.id = r.workflow_id
             where r.id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(route)
    }

    /// Lists routes, oldest first, after this id.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn routes(&self, after: Option<Uuid>, limit: i64) -> Result<RoutePage, Error> {
        let mut routes = sqlx::query_as!(
            Route,
            "select r.id, r.category, r.source, r.workflow_id, w.slug as workflow, r.auto, r.created_by,
                    r.created_at
             from stepwell.record_route r join stepwell.workflow w on w.id = r.workflow_id
             where $1::uuid is null or r.id > $1
             order by r.id limit $2",
            after,
            limit + 1,
        )
        .fetch_all(&self.pool)
        .await?;
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = routes.len() > limit;
        routes.truncate(limit);
        Ok(RoutePage { routes, more })
    }
}

impl Route {
    fn shown(&self) -> serde_json::Value {
        json!({
            "category": self.category, "source": self.source, "workflow_id": self.workflow_id,
            "workflow": self.workflow, "auto": self.auto,
        })
    }
}
