//! Following a run through the API's stream of events. A stream that breaks is taken up again after the
//! last event that came.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::Value;

use super::client::Client;
use super::print;
use super::run::text;

/// How long the server may be away before it is given up.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// Between two tries to reach it.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// Bytes of one event: far more than the server sends.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// Prints each event of a run until it is over; returns the run as it ended.
pub(super) async fn watch(client: &Client, id: &str, json: bool) -> anyhow::Result<Value> {
    let mut last: Option<String> = None;
    let mut away_since: Option<Instant> = None;
    loop {
        let url = client.at(&["runs", id, "events"], &[])?;
        match client.events(url, last.as_deref()).await? {
            Ok(stream) => {
                away_since = None;
                if let Some(stream) = stream {
                    show(stream, json, &mut last).await?;
                }
                let url = client.at(&["runs", id], &[])?;
                // Between the stream and this the server may have gone: then it is tried again.
                if let Ok(run) = client.get(Method::GET, url, None).await
                    && run.get("finished_at").is_some_and(|at| !at.is_null())
                {
                    return Ok(run);
                }
            }
            // From the first try on somebody has to be there.
            Err(error) if last.is_none() => return Err(error).context("no Stepwell answers"),
            Err(error) => {
                let since = away_since.get_or_insert_with(Instant::now);
                if since.elapsed() > AWAY_MAX {
                    return Err(error).context("the server is gone");
                }
            }
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Prints the events of one connection; remembers how far it came.
async fn show(
    mut stream: reqwest::Response,
    json: bool,
    last: &mut Option<String>,
) -> anyhow::Result<()> {
    let mut reader = Reader::default();
    // A stream that breaks off ends here like one that is over: the caller asks what is true.
    while let Ok(Some(chunk)) = stream.chunk().await {
        for event in reader.read(&chunk)? {
            if json {
                print::line(&event.data);
            } else {
                let data: Value =
                    serde_json::from_str(&event.data).context("an event is not JSON")?;
                print::line(line(&data));
            }
            *last = Some(event.id);
        }
    }
    Ok(())
}

/// One event as a line for people.
fn line(event: &Value) -> String {
    let time = text(event, "time");
    let clock = time.get(11..23).unwrap_or(time);
    let (kind, step) = (text(event, "type"), text(event, "step"));
    let message = event
        .pointer("/detail/error/message")
        .and_then(Value::as_str);
    let message = message
        .map(|words| format!("  {words}"))
        .unwrap_or_default();
    format!("  {clock}  {kind:<20} {step}{message}")
        .trim_end()
        .to_owned()
}

/// An event of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    id: String,
    data: String,
}

/// Puts together what comes in pieces.
#[derive(Debug, Default)]
struct Reader {
    rest: Vec<u8>,
}

impl Reader {
    /// Returns the events that are complete with these bytes; comments are none.
    fn read(&mut self, bytes: &[u8]) -> anyhow::Result<Vec<Event>> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            events.extend(event(&String::from_utf8_lossy(&block)));
        }
        if self.rest.len() > EVENT_BYTES_MAX {
            bail!("the server sends something that is no stream of events");
        }
        Ok(events)
    }
}

fn event(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let values = block.lines().filter_map(|line| line.strip_prefix(name));
        let values: Vec<_> = values
            .filter_map(|rest| rest.strip_prefix(':'))
            .map(|value| value.strip_prefix(' ').unwrap_or(value))
            .collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    Some(Event {
        id: field("id")?,
        data: field("data")?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Event, Reader, line};

    #[test]
    fn events_come_in_pieces() {
        let whole =
            "retry: 1000\n\n: heartbeat\n\nid: 4\nevent: a\ndata: {\"ü\":1}\n\nid: 5\ndata: 2\n\n";
        let expected = [("4", "{\"ü\":1}"), ("5", "2")].map(|(id, data)| Event {
            id: id.into(),
            data: data.into(),
        });
        for size in 1..whole.len() {
            let mut reader = Reader::default();
            let read: Vec<_> = whole
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| reader.read(chunk).unwrap())
                .collect();
            assert_eq!(read, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_says_when_what_and_why() {
        let event = serde_json::json!({
            "time": "2026-03-01T12:00:02.049Z", "type": "step.failed", "step": "charge",
            "detail": {"error": {"message": "no money"}},
        });
        assert_eq!(
            line(&event),
            "  12:00:02.049  step.failed          charge  no money"
        );
    }
}
