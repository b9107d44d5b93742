//! The document: what the endpoints say of themselves, and what holds for all of them.

use salvo::Router;
use salvo::oapi::schema::SchemaType;
use salvo::oapi::{
    BasicType, Header, Info, License, Object, OpenApi, Operation, Parameter, ParameterIn, Ref,
    RefOr, Responses, Schema, Tag,
};

use super::plain::plain;
use super::{access, optional};
use crate::body::none;
use crate::limits::{PARAMETER_CHARS_MAX, REQUEST_ID_CHARS_MAX};
use crate::problem::{self, Kind};
use crate::system::VERSION;

const ABOUT: &str = "\
Stepwell runs workflows durably on PostgreSQL.

JSON in UTF-8, `snake_case`; times are RFC 3339 in UTC; ids are UUIDv7. Unknown fields and unknown \
query parameters are refused. Every answer that is not a success is an RFC 9457 problem whose \
`type` is stable. `X-Request-ID` is kept, or made, and is in every answer.";

const TAGS: &[(&str, &str)] = &[
    ("System", "Health, version and measurements."),
    ("Agents", "HTTP services that steps call."),
    (
        "Workflows",
        "Definitions, their versions, and their execution.",
    ),
    ("Runs", "Executions of a workflow version on an input."),
    ("Callbacks", "Results of agents that finish later."),
    ("External work", "Work that clients poll for."),
    (
        "Records",
        "What comes in from elsewhere and is processed once, by a run.",
    ),
    ("Queues", "Lanes of runs that workers take from."),
    ("Workers", "Processes that drive runs."),
    ("Audit", "Who changed what, and when."),
    ("Events", "What happens, as it happens."),
    ("Keys", "Keys of the API: who may ask for what."),
    ("Schedules", "What starts runs by the clock."),
    ("Subscriptions", "Who hears of what happens."),
];

/// Returns the document of these routes.
#[must_use]
pub fn document(api: &Router) -> OpenApi {
    let info = Info::new("Stepwell", VERSION)
        .description(ABOUT)
        .license(License::new("MIT OR Apache-2.0"));
    let mut document = OpenApi::with_info(info).merge_router(api);
    document.tags = TAGS
        .iter()
        .map(|(name, about)| Tag::new(*name).description(*about))
        .collect();
    document
        .components
        .headers
        .insert("RequestId".into(), RefOr::Type(request_id()));
    problem::describe(&mut document.components, &mut Operation::new(), Kind::ALL);
    let known = document.components.responses.clone();
    access::schemes(&mut document.components);
    for (path, item) in document.paths.iter_mut() {
        for (method, operation) in item.operations.iter_mut() {
            access::require(method, path, operation);
            none::describe(method, &mut document.components, operation);
            illustrate(operation, &known);
            operation.parameters.iter_inline_mut().for_each(bound);
            complete(operation);
        }
    }
    for response in document.components.responses.values_mut() {
        if let RefOr::Type(response) = response {
            response.headers.insert("X-Request-ID".into(), request_id());
        }
    }
    plain(&mut document);
    document
}

/// An endpoint that describes a problem in its own words gets the examples of that status.
fn illustrate(operation: &mut Operation, known: &Responses) {
    for (status, response) in operation.responses.iter_mut() {
        let RefOr::Type(response) = response else {
            continue;
        };
        let Some(content) = response.contents.get_mut(problem::MEDIA_TYPE) else {
            continue;
        };
        if let Some(RefOr::Type(general)) = known.get(&format!("Problem{status}"))
            && let Some(illustrated) = general.contents.get(problem::MEDIA_TYPE)
        {
            *content = illustrated.clone();
        }
    }
}

/// What holds for every text in a query, where the endpoint says nothing narrower.
fn bound(parameter: &mut Parameter) {
    let Some(RefOr::Type(Schema::Object(schema))) = &mut parameter.schema else {
        return;
    };
    let any_text = schema.schema_type == SchemaType::basic(BasicType::String)
        && schema.enum_values.is_none()
        && schema.format.is_none()
        && schema.pattern.is_none();
    if parameter.parameter_in == ParameterIn::Query && any_text {
        schema.pattern = Some(r"^[^\u0000]*$".into());
        schema.max_length.get_or_insert(PARAMETER_CHARS_MAX);
    }
}

fn complete(operation: &mut Operation) {
    let schema = Object::with_type(BasicType::String)
        .min_length(1)
        .max_length(REQUEST_ID_CHARS_MAX)
        .pattern("^[!-~]+$");
    let parameter = optional(
        "X-Request-ID",
        ParameterIn::Header,
        "The request's id: kept, logged and audited. Made when absent.",
        schema,
        "checkout-7f3a",
    );
    operation.parameters.insert(parameter);
    for response in operation.responses.values_mut() {
        if let RefOr::Type(response) = response {
            response.headers.insert("X-Request-ID".into(), request_id());
        }
    }
    // The server itself answers these, whatever the endpoint.
    for status in ["400", "500", "503"] {
        if !operation.responses.contains_key(status) {
            let response = Ref::from_response_name(format!("Problem{status}"));
            operation.responses.insert(status, RefOr::Ref(response));
        }
    }
}

fn request_id() -> Header {
    Header::new(Object::with_type(BasicType::String))
        .description("The request's id.")
        .example("0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41".into())
}
