//! GET `/api/v1/events`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use salvo::Writer;
use salvo::oapi::{BasicType, Object, Parameter, endpoint};
use stepwell_queue::feed::{Cursor, Fed, Tail};
use tokio_util::sync::CancellationToken;

use super::last::{LastEventId, PARAMETER};
use super::limits::{ASK_AGAIN, FILTERS_MAX};
use super::run::crowded;
use super::stream::{Events, Next, Source, message};
use super::wire::Event;
use crate::App;
use crate::answer::Result;
use crate::auth::Pass;
use crate::openapi::repeatable;
use crate::query::{Parameters, Query, Reader};

/// Records that are passed over in silence before the client learns how far it has come.
const PASSED_OVER_MAX: u32 = 1_000;

/// Which events.
#[derive(Debug)]
pub struct Filter {
    workflows: Vec<String>,
    types: Vec<String>,
    last: Option<String>,
}

impl Filter {
    fn takes(&self, fed: &Fed) -> bool {
        let record = &fed.record;
        let workflow = self.workflows.is_empty()
            || self.workflows.iter().any(|wanted| {
                record.workflow_name.as_deref() == Some(wanted)
                    || record
                        .workflow_id
                        .is_some_and(|id| wanted.parse() == Ok(id))
            });
        workflow && (self.types.is_empty() || self.types.contains(&record.action))
    }
}

impl Parameters for Filter {
    fn read(reader: &mut Reader) -> Self {
        let mut some = |name| {
            let values = reader.texts(name);
            if values.len() > FILTERS_MAX {
                reader.fault(name, format!("{name} may be given {FILTERS_MAX} times"));
            }
            values
        };
        Self {
            workflows: some("workflow"),
            types: some("type"),
            last: reader.text(PARAMETER),
        }
    }

    fn describe() -> Vec<Parameter> {
        let word = || Object::with_type(BasicType::String);
        vec![
            repeatable(
                "workflow",
                "Only of runs of this workflow, by its slug or id; may be repeated.",
                word(),
                "my-workflow",
            ),
            repeatable(
                "type",
                "Only events of this type; may be repeated.",
                word(),
                "run.completed",
            ),
            LastEventId::parameter(
                "As the header `Last-Event-ID`, which goes before it.",
                "MTc2OTE…",
            ),
        ]
    }
}

/// Streams what happens to everything: runs, steps, workflows, agents; from now on, or from after
/// `Last-Event-ID`.
///
/// Events of one run come in the order of their numbers. The `id` of a message is opaque: it says how
/// far the whole stream was read, so it may be used with other filters.
#[endpoint(operation_id = "stream_events")]
pub async fn stream_events(
    app: App,
    query: Query<Filter>,
    last: LastEventId,
    pass: Pass,
) -> Result<Events> {
    let mut filter = query.0;
    let wanted = "the id of an event of this stream";
    let cursor = last.read(filter.last.take(), wanted, open)?;
    let tail = app.store.tail(cursor).await?.ok_or_else(crowded)?;
    let following = Following {
        tail,
        filter,
        passed_over: 0,
        shutdown: app.shutdown.clone(),
    };
    Ok(Events::of(following, pass))
}

fn open(text: &str) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

struct Following {
    tail: Tail,
    filter: Filter,
    passed_over: u32,
    shutdown: CancellationToken,
}

impl Source for Following {
    async fn next(&mut self) -> Next {
        loop {
            let fed = tokio::select! {
                () = self.shutdown.cancelled() => return Next::End,
                fed = self.tail.next() => fed,
            };
            let fed = match fed {
                Ok(Some(fed)) => fed,
                Ok(None) => return Next::End,
                Err(error) => {
                    tracing::debug!(%error, "a stream of events waits for the database");
                    tokio::time::sleep(ASK_AGAIN).await;
                    continue;
                }
            };
            let id = |fed: &Fed| URL_SAFE_NO_PAD.encode(fed.cursor.to_string());
            if self.filter.takes(&fed) {
                self.passed_over = 0;
                return Next::Message(message(&id(&fed), &Event::from(&*fed.record)), false);
            }
            self.passed_over += 1;
            if self.passed_over >= PASSED_OVER_MAX {
                self.passed_over = 0;
                // An id without data makes no event, but is where a browser goes on.
                return Next::Aside(Bytes::from(format!("id: {}\n\n", id(&fed))));
            }
        }
    }
}
