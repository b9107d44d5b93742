//! An event on the wire: CloudEvents 1.0 in JSON, structured mode. The same bytes in every attempt.

use bytes::Bytes;
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::value::RawValue;
use stepwell_queue::delivery::Event;
use uuid::Uuid;

/// What the body is.
pub(super) const MEDIA_TYPE: &str = "application/cloudevents+json";

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: Uuid,
    source: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    datacontenttype: &'static str,
    data: &'a RawValue,
}

/// Writes an event.
pub(super) fn envelope(event: &Event) -> serde_json::Result<Bytes> {
    serde_json::to_vec(&Envelope {
        specversion: "1.0",
        id: event.id,
        source: &event.source,
        r#type: &event.kind,
        subject: event.subject.as_deref(),
        time: event.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        datacontenttype: "application/json",
        data: &event.data,
    })
    .map(Bytes::from)
}
