//! GET `/api/v1/runs/{id}/logs`.

use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::log::{Level, LineFilter};
use uuid::Uuid;

use super::id::RunId;
use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::list::List;
use crate::moment::Moment;
use crate::onward::{Onward, cursor};
use crate::page::parameter;
use crate::query::{Parameters, Query, Reader};

const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error"];

/// Which lines of a log.
#[derive(Debug)]
pub struct LogQuery {
    onward: Onward,
    filter: LineFilter,
}

impl Parameters for LogQuery {
    fn read(reader: &mut Reader) -> Self {
        let level = reader.one_of("level", LEVELS);
        Self {
            onward: Onward::read(reader),
            filter: LineFilter {
                step: reader.text("step"),
                level: level
                    .and_then(|word| Level::ALL.into_iter().find(|level| level.as_str() == word)),
            },
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        let mut all = Onward::describe();
        all.push(parameter(
            "step",
            "Only lines of this step, or of this item of a map.",
            word(),
            "score[17]".into(),
        ));
        all.push(parameter(
            "level",
            "Only lines that matter at least so much.",
            word().enum_values(LEVELS.iter().copied()),
            "warn".into(),
        ));
        all
    }
}

/// Lists the log of a run: what task functions, agents and external workers said, oldest first.
///
/// A step keeps up to 1,000 lines and a run up to 10,000; the last one then says that what follows is
/// not kept.
#[endpoint(operation_id = "list_run_logs")]
pub async fn list_run_logs(
    app: App,
    id: RunId,
    query: Query<LogQuery>,
) -> Result<Found<List<LogLine>>> {
    let LogQuery { onward, filter } = query.0;
    let after = onward.after.map(id_of);
    let page = app
        .store
        .lines(id.0, &filter, after, onward.limit.into())
        .await?;
    let page = page.ok_or_else(|| id.unknown())?;
    let last = page.lines.last().filter(|_| page.more);
    let next_cursor = last.map(|last| {
        let (high, low) = last.id.as_u64_pair();
        cursor(high.cast_signed(), low.cast_signed())
    });
    Ok(Found(List {
        items: page.lines.into_iter().map(LogLine::from).collect(),
        next_cursor,
        total: None,
    }))
}

fn id_of((high, low): (i64, i64)) -> Uuid {
    Uuid::from_u64_pair(high.cast_unsigned(), low.cast_unsigned())
}

/// A line of a run's log.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "LogLine"))]
pub struct LogLine {
    pub id: Uuid,
    pub at: Moment,
    /// `score`, or `score[17]` for an item of a map.
    pub step: String,
    pub attempt: i16,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    pub message: String,
}

impl From<stepwell_queue::log::LogLine> for LogLine {
    fn from(line: stepwell_queue::log::LogLine) -> Self {
        Self {
            id: line.id,
            at: line.at.into(),
            step: line.step,
            attempt: line.attempt,
            level: line.level.as_str(),
            message: line.message,
        }
    }
}

impl Example for LogLine {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-4b00-7c11-9d3e-2a4b6c8d0e1f", "at": "2026-03-01T12:00:02.040Z",
            "step": "score[17]", "attempt": 1, "level": "info", "message": "scored 12 documents",
        })
    }
}
