//! What is named in the path: by its UUID, or by UUID or name. And what of a path may be shown, as some
//! hold a secret.

use std::borrow::Cow;

use salvo::oapi::{
    BasicType, Components, KnownFormat, Object, Operation, Parameter, ParameterIn, SchemaFormat,
};
use salvo::{Depot, Request};
use stepwell_workflow::limits::NAME_CHARS_MAX;
use uuid::Uuid;

use crate::body::storable;
use crate::extract::{Take, extractor};
use crate::problem::{self, Fault, Kind, Problem};

/// A path parameter that is a UUID. What is none is the id of nothing: 404, as where a name may stand.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub Uuid);

impl Take for Id {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let text = text(req, arg);
        Uuid::try_parse(&text).map(Self).map_err(|_| {
            Problem::new(
                Kind::NotFound,
                format!("There is nothing with the id {text:?}: ids are UUIDs."),
            )
        })
    }

    fn describe(components: &mut Components, operation: &mut Operation, arg: &str) {
        let schema = Object::with_type(BasicType::String)
            .format(SchemaFormat::KnownFormat(KnownFormat::Uuid));
        let parameter = Parameter::new(arg)
            .location(ParameterIn::Path)
            .description("Its id.")
            .schema(schema)
            .example("0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41".into());
        operation.parameters.insert(parameter);
        problem::describe(components, operation, &[Kind::NotFound]);
    }
}
extractor!(Id);

/// A path parameter that is a UUID or a unique name.
#[derive(Clone, Debug)]
pub struct NameOrId(pub String);

impl Take for NameOrId {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let text = text(req, arg);
        // No name has one, and Postgres would refuse the whole statement.
        if text.contains('\0') {
            let detail = "must not contain a NUL character".to_owned();
            return Err(Problem::parameters(vec![Fault::parameter(arg, detail)]));
        }
        Ok(Self(text))
    }

    fn describe(components: &mut Components, operation: &mut Operation, arg: &str) {
        let parameter = Parameter::new(arg)
            .location(ParameterIn::Path)
            .description("Its id, or its unique name.")
            .schema(Object::with_type(BasicType::String))
            .example("0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41".into());
        operation.parameters.insert(parameter);
        problem::describe(
            components,
            operation,
            &[Kind::InvalidParameter, Kind::NotFound],
        );
    }
}
extractor!(NameOrId);

/// A path parameter that is a whole number from 1.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub i32);

impl Take for Number {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let text = text(req, arg);
        text.parse()
            .ok()
            .filter(|n| *n >= 1)
            .map(Self)
            .ok_or_else(|| {
                Problem::parameters(vec![Fault::parameter(
                    arg,
                    format!("{text:?} is not a whole number from 1"),
                )])
            })
    }

    fn describe(components: &mut Components, operation: &mut Operation, arg: &str) {
        let parameter = Parameter::new(arg)
            .location(ParameterIn::Path)
            .description("Its number, from 1.")
            .schema(
                Object::with_type(BasicType::Integer)
                    .minimum(1)
                    .maximum(i32::MAX),
            )
            .example(1.into());
        operation.parameters.insert(parameter);
        problem::describe(
            components,
            operation,
            &[Kind::InvalidParameter, Kind::NotFound],
        );
    }
}
extractor!(Number);

/// A path parameter that is any text of up to `NAME_CHARS_MAX` characters.
#[derive(Clone, Debug)]
pub struct Word(pub String);

impl Take for Word {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let text = text(req, arg);
        if !(1..=NAME_CHARS_MAX).contains(&text.chars().count()) {
            let detail = format!("must have 1 to {NAME_CHARS_MAX} characters");
            return Err(Problem::parameters(vec![Fault::parameter(arg, detail)]));
        }
        if let Some(detail) = storable::fault(&text) {
            return Err(Problem::parameters(vec![Fault::parameter(arg, detail)]));
        }
        Ok(Self(text))
    }

    fn describe(components: &mut Components, operation: &mut Operation, arg: &str) {
        let parameter = Parameter::new(arg)
            .location(ParameterIn::Path)
            .description("Its name.")
            .schema(
                Object::with_type(BasicType::String)
                    .min_length(1)
                    .max_length(NAME_CHARS_MAX),
            )
            .example("approved".into());
        operation.parameters.insert(parameter);
        problem::describe(components, operation, &[Kind::InvalidParameter]);
    }
}
extractor!(Word);

/// A path parameter that only Stepwell makes. What is none of its tokens is found nowhere: 404.
#[derive(Clone, Debug)]
pub struct Token(pub String);

impl Take for Token {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        Ok(Self(text(req, arg)))
    }

    fn describe(components: &mut Components, operation: &mut Operation, arg: &str) {
        let parameter = Parameter::new(arg)
            .location(ParameterIn::Path)
            .description("The token that came with the work.")
            .schema(Object::with_type(BasicType::String).min_length(1))
            .example("AQGh_qbUo3V5mWDCgoC6AcQAAP____8AAAABAAAAAQAABaH-ptqsSMTHwj8WzpPB".into());
        operation.parameters.insert(parameter);
        problem::describe(components, operation, &[Kind::NotFound]);
    }
}
extractor!(Token);

/// What is shown in place of a token.
const TOKEN: &str = "{token}";

/// A token has 74 characters; one that was cut off by some still says much.
const TOKEN_CHARS_MIN: usize = 60;

/// What stands before a token in a path.
const BEFORE_TOKENS: [&str; 2] = ["callbacks", "external"];

/// Returns the path of a request as it may stand in a log or a problem: whoever has the token of a
/// callback or of leased work may report for it.
#[must_use]
pub fn shown(req: &Request) -> Cow<'_, str> {
    let (route, path) = (req.matched_path(), req.uri().path());
    // The route knows, however the path is written; it has no other parameter then.
    if route.contains(TOKEN) {
        return format!("/{}", route.trim_matches('/')).into();
    }
    if BEFORE_TOKENS.iter().any(|word| path.contains(word)) || path.split('/').any(looks_like_one) {
        return masked(path).into();
    }
    path.into()
}

/// Masks what stands where a token would, in a path that no route has.
fn masked(path: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    let [callbacks, external] =
        BEFORE_TOKENS.map(|word| parts.iter().position(|part| *part == word));
    // There it is a topic.
    let poll = parts.last() == Some(&"poll");
    let before = callbacks.or(external.filter(|_| !poll));
    if let Some(token) = before.and_then(|before| parts.get_mut(before + 1)) {
        *token = TOKEN;
    }
    // What was misspelt may be what stands before it.
    for part in parts.iter_mut().filter(|part| looks_like_one(part)) {
        *part = TOKEN;
    }
    parts.join("/")
}

/// Says whether a part of a path is as long as a token, or nearly, and has its letters. No id is, and a name that is
/// loses nothing but its place in a log.
fn looks_like_one(part: &str) -> bool {
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    part.len() >= TOKEN_CHARS_MIN && part.bytes().all(letters)
}

fn text(req: &Request, arg: &str) -> String {
    req.param::<String>(arg).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn a_token_is_not_shown() {
        let long = "AQGh_qbUo3V5mWDCgoC6AcQAAP____8AAAABAAAAAQAABaH-ptqsSMTHwj8WzpPBxyzabcde";
        for (path, shown) in [
            ("/api/v1/callbacks/s3cret", "/api/v1/callbacks/{token}"),
            (
                "/api/v1/callbacks/s3cret/typo",
                "/api/v1/callbacks/{token}/typo",
            ),
            (
                "/api/v1/external/s3cret/done",
                "/api/v1/external/{token}/done",
            ),
            ("/api/v1/external/print/poll", "/api/v1/external/print/poll"),
            ("/api/v1/runs/external", "/api/v1/runs/external"),
            (
                &format!("/api/v1/callback/{long}"),
                "/api/v1/callback/{token}",
            ),
            (
                &format!("//callbacks//{long}"),
                "//callbacks/{token}/{token}",
            ),
            (&format!("/{long}/logs"), "/{token}/logs"),
        ] {
            assert_eq!(masked(path), shown);
        }
    }
}
