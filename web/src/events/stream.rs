//! The answer that does not end: messages, and a comment where there is nothing to say.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use http::{HeaderValue, StatusCode, header};
use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Object, Operation, Response as Documented,
    ToSchema,
};
use salvo::{Depot, Request, Response, Writer, async_trait};

use super::limits::{HEARTBEAT, RECONNECT_MS};
use super::wire::Event;
use crate::auth::Pass;
use crate::example::Example;

const MEDIA_TYPE: &str = "text/event-stream";

/// 200 with a stream of events, or 204: there will be none, and a browser is not to come back.
pub enum Events {
    Stream(BoxStream<'static, Bytes>),
    Over,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stream(_) => "Stream",
            Self::Over => "Over",
        })
    }
}

/// What a source of events says next.
#[derive(Debug)]
pub(super) enum Next {
    /// A message, and whether it is the last one.
    Message(Bytes, bool),
    /// Nothing, but the client is to know where it stands: a comment, or an id alone.
    Aside(Bytes),
    /// Nothing more.
    End,
}

/// A source of events. What `next` waits for may be dropped at any time.
pub(super) trait Source: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Next> + Send;
}

impl Events {
    /// Streams a source: an opening, its messages, and a heartbeat when it is silent, for as long as
    /// the credential of who listens is good.
    pub(super) fn of(source: impl Source, pass: Pass) -> Self {
        let stream = stream(source, HEARTBEAT).take_until(pass.ended());
        Self::Stream(Box::pin(stream))
    }
}

enum State<S> {
    Opening(S),
    Open(S),
    Closed,
}

fn stream(source: impl Source, heartbeat: Duration) -> impl Stream<Item = Bytes> + Send {
    futures::stream::unfold(State::Opening(source), move |state| async move {
        match state {
            // At once, so that the client and every proxy see that the stream is there.
            State::Opening(source) => {
                let opening = Bytes::from(format!("retry: {RECONNECT_MS}\n\n"));
                Some((opening, State::Open(source)))
            }
            State::Open(mut source) => match tokio::time::timeout(heartbeat, source.next()).await {
                Err(_) => Some((Bytes::from_static(b": heartbeat\n\n"), State::Open(source))),
                Ok(Next::Aside(aside)) => Some((aside, State::Open(source))),
                Ok(Next::Message(message, false)) => Some((message, State::Open(source))),
                Ok(Next::Message(message, true)) => Some((message, State::Closed)),
                Ok(Next::End) => None,
            },
            State::Closed => None,
        }
    })
}

/// Writes one message. JSON has no line breaks, and neither has an id.
pub(super) fn message(id: &str, event: &Event) -> Bytes {
    let data = serde_json::to_string(event).unwrap_or_else(|_| "{}".to_owned());
    Bytes::from(format!("id: {id}\nevent: {}\ndata: {data}\n\n", event.kind))
}

#[async_trait]
impl Writer for Events {
    async fn write(self, req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        let Self::Stream(stream) = self else {
            res.status_code(StatusCode::NO_CONTENT);
            return;
        };
        res.status_code(StatusCode::OK);
        let headers = res.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, MEDIA_TYPE),
            (header::CACHE_CONTROL, "no-cache, no-transform"),
            // Proxies that gather answers are asked not to.
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // HEAD has no body, and this one would not end.
        if req.method() != http::Method::HEAD {
            res.stream(stream.map(Ok::<_, Infallible>));
        }
    }
}

impl EndpointOutRegister for Events {
    fn register(components: &mut Components, operation: &mut Operation) {
        let event = Event::example();
        let example = format!("id: 4\nevent: step.completed\ndata: {event}\n\n");
        // Referred to by the description: in a message it is text.
        Event::to_schema(components);
        let content = Content::new(message_schema()).example(example.into());
        operation.responses.insert(
            "200",
            Documented::new(
                "Server-sent events: `id`, `event` (the type) and `data` (an `Event` as JSON on one \
                 line). After 15 s of silence there is a comment.",
            )
            .add_content(MEDIA_TYPE, content),
        );
        operation.responses.insert(
            "204",
            Documented::new(
                "There is nothing after `Last-Event-ID`, and nothing will come: browsers do not \
                 connect again.",
            ),
        );
    }
}

/// The schema of one message, as its fields are read by who listens.
fn message_schema() -> Object {
    let text = || Object::with_type(BasicType::String);
    Object::new()
        .property("id", text())
        .property("event", text())
        .property("data", text())
        .property("retry", Object::with_type(BasicType::Integer))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent(u8);

    impl Source for Silent {
        async fn next(&mut self) -> Next {
            self.0 += 1;
            if self.0 < 3 {
                std::future::pending::<()>().await;
            }
            Next::Message(Bytes::from_static(b"m"), true)
        }
    }

    #[tokio::test]
    async fn silence_is_broken_by_a_heartbeat_and_the_last_message_ends_it() {
        let heartbeat = Duration::from_millis(5);
        let chunks: Vec<_> = stream(Silent(0), heartbeat).collect().await;
        let expected = ["retry: 1000\n\n", ": heartbeat\n\n", ": heartbeat\n\n", "m"];
        assert_eq!(chunks, expected);
    }
}
