//! How problems look in the OpenAPI document: one schema, and one named response per status.

use http::StatusCode;
use salvo::oapi::{
    Array, BasicType, Components, Content, EndpointOutRegister, Header, Object, Operation, Ref,
    RefOr, Response, Schema, ToSchema,
};

use super::{Kind, MEDIA_TYPE, Problem};

impl ToSchema for Problem {
    fn to_schema(components: &mut Components) -> RefOr<Schema> {
        let text = |about: &str| Object::with_type(BasicType::String).description(about);
        let fault = Object::new()
            .property(
                "pointer",
                text("RFC 6901 pointer into the body, \"\" for all of it."),
            )
            .property(
                "parameter",
                text("The query parameter, path parameter or header."),
            )
            .property("detail", text("What is wrong and what to do."))
            .required("detail");
        let kinds = Kind::ALL.iter().fold(String::new(), |all, kind| {
            format!(
                "{all}\n- `{}` ({}): {}",
                kind.uri(),
                kind.status().as_u16(),
                kind.meaning()
            )
        });
        let problem = Object::new()
            .description("RFC 9457 problem details.")
            .property(
                "type",
                text(&format!("The stable URI of the kind:\n{kinds}"))
                    .enum_values(Kind::ALL.iter().map(|kind| kind.uri())),
            )
            .property("title", text("The kind in a few words."))
            .property(
                "status",
                Object::with_type(BasicType::Integer).description("The HTTP status."),
            )
            .property("detail", text("What happened this time."))
            .property("instance", text("The path of the request."))
            .property("request_id", text("The request's X-Request-ID."))
            .property(
                "errors",
                Array::new()
                    .items(fault)
                    .description("Each thing that is wrong."),
            )
            .required("type")
            .required("title")
            .required("status")
            .required("detail")
            .required("instance")
            .required("request_id");
        components.schemas.insert("Problem", problem);
        Ref::from_schema_name("Problem").into()
    }
}

/// Documents that an operation may answer with problems of these kinds.
pub fn describe(components: &mut Components, operation: &mut Operation, kinds: &[Kind]) {
    for kind in kinds {
        let name = kind.status().as_u16().to_string();
        let component = format!("Problem{name}");
        if !components.responses.contains_key(&component) {
            let response = response(components, kind.status());
            components
                .responses
                .insert(component.clone(), RefOr::Type(response));
        }
        operation
            .responses
            .insert(name, RefOr::Ref(Ref::from_response_name(component)));
    }
}

fn response(components: &mut Components, status: StatusCode) -> Response {
    let schema = Problem::to_schema(components);
    let kinds: Vec<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| kind.status() == status)
        .collect();
    let about = kinds
        .iter()
        .map(|kind| format!("`{}`: {}", kind.uri(), kind.meaning()))
        .collect::<Vec<_>>();
    let mut content = Content::new(schema);
    content = content.extend_examples(kinds.iter().map(|kind| {
        let slug = kind.uri().rsplit(':').next().unwrap_or_default();
        (
            slug.to_owned(),
            salvo::oapi::Example::new()
                .summary(kind.title())
                .value(example(*kind)),
        )
    }));
    let mut response = Response::new(about.join("\n\n")).add_content(MEDIA_TYPE, content);
    if matches!(status.as_u16(), 429 | 503) {
        response = response.add_header(
            "Retry-After",
            Header::new(Object::with_type(BasicType::Integer))
                .description("Seconds to wait.")
                .example(1.into()),
        );
    }
    if status == StatusCode::UNAUTHORIZED {
        response = response.add_header(
            "WWW-Authenticate",
            Header::new(Object::with_type(BasicType::String))
                .description("What to send.")
                .example("Bearer realm=\"stepwell\"".into()),
        );
    }
    response
}

fn example(kind: Kind) -> serde_json::Value {
    let mut example = serde_json::json!({
        "type": kind.uri(), "title": kind.title(), "status": kind.status().as_u16(),
        "detail": kind.meaning(), "instance": "/api/v1/agents",
        "request_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
    });
    match kind {
        Kind::Invalid | Kind::MalformedBody => {
            example["errors"] = serde_json::json!([{"pointer": "/url", "detail": "must begin with http:// or https://"}]);
        }
        Kind::InvalidParameter => {
            example["errors"] = serde_json::json!([{"parameter": "limit", "detail": "must be a whole number from 1 to 200"}]);
        }
        _ => {}
    }
    example
}

/// What every operation may answer.
impl EndpointOutRegister for Problem {
    fn register(components: &mut Components, operation: &mut Operation) {
        describe(
            components,
            operation,
            &[Kind::BadRequest, Kind::Internal, Kind::Unavailable],
        );
    }
}
