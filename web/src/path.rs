//! What is named in the path: by its UUID, or by UUID or name.

use salvo::oapi::{
    BasicType, Components, KnownFormat, Object, Operation, Parameter, ParameterIn, SchemaFormat,
};
use salvo::{Depot, Request};
use stepwell_workflow::limits::NAME_CHARS_MAX;
use uuid::Uuid;

use crate::body::storable;
use crate::extract::{Take, extractor};
use crate::problem::{self, Fault, Kind, Problem};

/// A path parameter that is a UUID.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub Uuid);

impl Take for Id {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let text = text(req, arg);
        Uuid::try_parse(&text).map(Self).map_err(|_| {
            Problem::parameters(vec![Fault::parameter(
                arg,
                format!("{text:?} is not a UUID"),
            )])
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
        problem::describe(
            components,
            operation,
            &[Kind::InvalidParameter, Kind::NotFound],
        );
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

fn text(req: &Request, arg: &str) -> String {
    req.param::<String>(arg).unwrap_or_default()
}
