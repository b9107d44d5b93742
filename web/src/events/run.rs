//! GET `/api/v1/runs/{id}/events`.

use salvo::Writer;
use salvo::oapi::{Parameter, endpoint};
use stepwell_queue::feed::RunWatch;
use stepwell_queue::run::TrailEnd;
use tokio_util::sync::CancellationToken;

use super::last::{LastEventId, PARAMETER};
use super::stream::{Events, Next, Source, message};
use super::wire::Event;
use crate::App;
use crate::answer::Result;
use crate::auth::Pass;
use crate::problem::{Kind, Problem};
use crate::query::{Parameters, Query, Reader};
use crate::runs::id::RunId;

/// Where to begin.
#[derive(Debug)]
pub struct From(Option<String>);

impl Parameters for From {
    fn read(reader: &mut Reader) -> Self {
        Self(reader.text(PARAMETER))
    }

    fn describe() -> Vec<Parameter> {
        let about = "As the header `Last-Event-ID`, which goes before it.";
        vec![LastEventId::parameter(about, "4")]
    }
}

/// Streams what happens to a run, from its first record or from after `Last-Event-ID`, until its end.
///
/// The `id` of a message is the record's number within the run. The stream ends after the terminal
/// event, unless the run has been retried since.
#[endpoint(operation_id = "stream_run_events")]
pub async fn stream_run_events(
    app: App,
    id: RunId,
    query: Query<From>,
    last: LastEventId,
    pass: Pass,
) -> Result<Events> {
    let after = last.read(query.0.0, "the number of an event of this run", number)?;
    Ok(match watch(&app, id, after.unwrap_or(0)).await? {
        Some(watch) => {
            let shutdown = app.shutdown.clone();
            Events::of(Following { watch, shutdown }, pass)
        }
        None => Events::Over,
    })
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number >= 0)
}

/// Begins to follow a run, whatever door it was asked through. `None`: nothing will come.
///
/// # Errors
/// 404 without such a run, 503 when too many listen.
pub(crate) async fn watch(app: &App, id: RunId, after: i64) -> Result<Option<RunWatch>> {
    match app.store.trail_end(id.0).await? {
        None => Err(id.unknown()),
        Some(TrailEnd::Closed(last)) if after >= last => Ok(None),
        Some(_) => app.store.watch(id.0, after).map(Some).ok_or_else(crowded),
    }
}

/// The problem of one listener too many.
pub(super) fn crowded() -> Problem {
    Problem::new(
        Kind::Overloaded,
        "As many listen to events as this server allows itself. Try again shortly.",
    )
}

struct Following {
    watch: RunWatch,
    shutdown: CancellationToken,
}

impl Source for Following {
    async fn next(&mut self) -> Next {
        let watched = tokio::select! {
            () = self.shutdown.cancelled() => return Next::End,
            watched = self.watch.next() => watched,
        };
        let Some(watched) = watched else {
            return Next::End;
        };
        let event = Event::from(&*watched.record);
        Next::Message(message(&event.sequence.to_string(), &event), watched.last)
    }
}
