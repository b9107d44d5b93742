//! GET `/api/v1/audit`.

use salvo::Writer;
use salvo::oapi::{BasicType, KnownFormat, Object, Parameter, endpoint};
use stepwell_queue::audit::AuditFilter;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::wire::AuditRecord;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::List;
use crate::onward::{OnwardById, cursor_after};
use crate::openapi::text_of;
use crate::page::parameter;
use crate::query::{Parameters, Query, Reader};

/// What the audit log is filtered by.
#[derive(Debug)]
pub struct Filter {
    entity_type: Option<String>,
    entity_id: Option<Uuid>,
    actor: Option<String>,
    action: Option<String>,
    from: Option<Time>,
    to: Option<Time>,
    onward: OnwardById,
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        Self {
            entity_type: reader.text("entity_type"),
            entity_id: reader.uuid("entity_id"),
            actor: reader.text("actor"),
            action: reader.text("action"),
            from: reader.time("from"),
            to: reader.time("to"),
            onward: OnwardById::read(reader),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let id = "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41";
        let mut all = vec![
            parameter(
                "entity_type",
                "Records about these: `run`, `step`, `agent`, `workflow`, `queue`, `worker`, …",
                word(),
                "workflow".into(),
            ),
            parameter(
                "entity_id",
                "Records about this one.",
                text_of(KnownFormat::Uuid),
                id.into(),
            ),
            parameter("actor", "What this one did.", word(), "anonymous".into()),
            parameter("action", "What was done.", word(), "run.cancelled".into()),
            parameter(
                "from",
                "At this time or later, to the millisecond.",
                text_of(KnownFormat::DateTime),
                "2026-03-01T00:00:00Z".into(),
            ),
            parameter(
                "to",
                "Before this time, to the millisecond.",
                text_of(KnownFormat::DateTime),
                "2026-04-01T00:00:00Z".into(),
            ),
        ];
        all.extend(OnwardById::describe());
        all
    }
}

/// Lists the audit log, newest first.
///
/// A page whose filters fit few of very many records ends early, or even empty; `next_cursor` leads on.
#[endpoint(operation_id = "list_audit")]
pub async fn list_audit(app: App, query: Query<Filter>) -> Result<Found<List<AuditRecord>>> {
    let Query(asked) = query;
    let filter = AuditFilter {
        entity_type: asked.entity_type,
        entity_id: asked.entity_id,
        actor: asked.actor,
        action: asked.action,
        from: asked.from,
        to: asked.to,
        before: asked.onward.after,
        limit: asked.onward.limit.into(),
    };
    let page = app.store.audit_page(&filter).await?;
    Ok(Found(List {
        items: page.records.into_iter().map(AuditRecord::from).collect(),
        next_cursor: page.next.map(cursor_after),
        total: None,
    }))
}
