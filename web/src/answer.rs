//! Successful answers, each documented by its type.

use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Header, Object, Operation,
    Response as Documented, ToSchema,
};
use salvo::{Depot, Request, Response, Writer, async_trait};
use serde::{Deserialize, Serialize};

use crate::etag;
use crate::example::Example;
use crate::problem::Problem;
use stepwell_queue::new_run::Answer as Stored;
use uuid::Uuid;

/// 200 with JSON.
#[derive(Debug)]
pub struct Found<T>(pub T);

/// 200 with JSON and its `ETag`.
#[derive(Debug)]
pub struct Tagged<T> {
    pub body: T,
    pub etag: String,
}

/// 201 with JSON, `Location` and `ETag`; or the same again for an idempotency key.
#[derive(Debug)]
pub enum Created<T> {
    Now {
        body: T,
        location: String,
        etag: String,
    },
    Before(Stored),
}

/// 202 with JSON and `Location`; or the same again for an idempotency key.
#[derive(Debug)]
pub enum Accepted<T> {
    Now { body: T, location: Option<String> },
    Before(Stored),
}

/// 204.
#[derive(Debug)]
pub struct Gone;

/// What all have that are made and may be changed.
#[derive(Deserialize)]
struct Identified {
    id: Uuid,
}

const JSON: &str = "application/json";

fn json(res: &mut Response, status: u16, body: &impl Serialize) {
    match serde_json::to_vec(body) {
        Ok(bytes) => raw(res, status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            res.status_code(http::StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}

fn raw(res: &mut Response, status: u16, bytes: Vec<u8>) {
    res.status_code(http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::OK));
    set(res, "content-type", JSON);
    res.body(bytes);
}

fn set(res: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = http::HeaderValue::from_str(value) {
        res.headers_mut().insert(name, value);
    }
}

/// Answers 201 with what was made and where it is.
pub(crate) fn made(res: &mut Response, body: &impl Serialize, path: &str) {
    json(res, 201, body);
    set(res, "location", path);
}

/// Gives a stored answer again.
pub(crate) fn replay(res: &mut Response, stored: &Stored) {
    raw(res, stored.status, stored.body.get().as_bytes().to_vec());
    if let Some(location) = &stored.location {
        set(res, "location", location);
    }
    set(res, "idempotency-replayed", "true");
}

#[async_trait]
impl<T: Serialize + Send> Writer for Found<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        json(res, 200, &self.0);
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for Tagged<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        json(res, 200, &self.body);
        set(res, "etag", &self.etag);
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for Created<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Now {
                body,
                location,
                etag,
            } => {
                json(res, 201, &body);
                set(res, "location", &location);
                set(res, "etag", &etag);
            }
            Self::Before(stored) => {
                replay(res, &stored);
                if let Ok(Identified { id }) = serde_json::from_str(stored.body.get()) {
                    set(res, "etag", &etag::first(id));
                }
            }
        }
    }
}

#[async_trait]
impl<T: Serialize + Send> Writer for Accepted<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Now { body, location } => {
                json(res, 202, &body);
                if let Some(location) = location {
                    set(res, "location", &location);
                }
            }
            Self::Before(stored) => replay(res, &stored),
        }
    }
}

#[async_trait]
impl Writer for Gone {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        res.status_code(http::StatusCode::NO_CONTENT);
    }
}

fn content<T: ToSchema + Example>(components: &mut Components) -> Content {
    Content::new(T::to_schema(components)).example(T::example())
}

fn header(about: &str, example: &str) -> Header {
    Header::new(Object::with_type(BasicType::String))
        .description(about)
        .example(example.into())
}

fn etag_header() -> Header {
    header(
        "The revision, for `If-Match`.",
        "\"0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41.1\"",
    )
}

fn replayed() -> Header {
    header("`true` when this is the first answer again.", "true")
}

fn location() -> Header {
    header(
        "The path of the new resource.",
        "/api/v1/agents/0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
    )
}

impl<T: ToSchema + Example> EndpointOutRegister for Found<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let response = Documented::new("Found.").add_content(JSON, content::<T>(components));
        operation.responses.insert("200", response);
    }
}

impl<T: ToSchema + Example> EndpointOutRegister for Tagged<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let response = Documented::new("Found, as it is now.")
            .add_content(JSON, content::<T>(components))
            .add_header("ETag", etag_header());
        operation.responses.insert("200", response);
    }
}

impl<T: ToSchema + Example> EndpointOutRegister for Created<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let response = Documented::new("Created.")
            .add_content(JSON, content::<T>(components))
            .add_header("Location", location())
            .add_header("ETag", etag_header())
            .add_header("Idempotency-Replayed", replayed());
        operation.responses.insert("201", response);
    }
}

impl<T: ToSchema + Example> EndpointOutRegister for Accepted<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let response = Documented::new("Accepted: durable, and on its way.")
            .add_content(JSON, content::<T>(components))
            .add_header("Location", location())
            .add_header("Idempotency-Replayed", replayed());
        operation.responses.insert("202", response);
    }
}

impl EndpointOutRegister for Gone {
    fn register(_components: &mut Components, operation: &mut Operation) {
        operation
            .responses
            .insert("204", Documented::new("Done; there is nothing to say."));
    }
}

/// What an endpoint returns.
pub type Result<T> = std::result::Result<T, Problem>;
