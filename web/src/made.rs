//! The answer of what is made and never changed by its clients: 201 without an `ETag`.

use salvo::oapi::{
    BasicType, Components, Content, EndpointOutRegister, Header, Object, Operation,
    Response as Documented, ToSchema,
};
use salvo::{Depot, Request, Response, Writer, async_trait};
use serde::Serialize;
use stepwell_queue::new_run::Answer as Stored;

use crate::answer;
use crate::example::Example;

/// 201 with JSON and `Location`; or the same again for an idempotency key.
#[derive(Debug)]
pub enum Made<T> {
    Now { body: T, location: String },
    Before(Stored),
}

#[async_trait]
impl<T: Serialize + Send> Writer for Made<T> {
    async fn write(self, _req: &mut Request, _depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Now { body, location } => answer::made(res, &body, &location),
            Self::Before(stored) => answer::replay(res, &stored),
        }
    }
}

impl<T: ToSchema + Example> EndpointOutRegister for Made<T> {
    fn register(components: &mut Components, operation: &mut Operation) {
        let header = |about: &str, example: &str| {
            Header::new(Object::with_type(BasicType::String))
                .description(about)
                .example(example.into())
        };
        let content = Content::new(T::to_schema(components)).example(T::example());
        let response = Documented::new("Created.")
            .add_content("application/json", content)
            .add_header(
                "Location",
                header(
                    "The path of the new resource.",
                    "/api/v1/records/0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
                ),
            )
            .add_header(
                "Idempotency-Replayed",
                header("`true` when this is the first answer again.", "true"),
            );
        operation.responses.insert("201", response);
    }
}
