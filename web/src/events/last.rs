//! `Last-Event-ID`: where a client goes on. Browsers send the header when they connect again; the query
//! parameter is for the first time, as they cannot set headers.

use salvo::oapi::{BasicType, Components, Object, Operation, Parameter, ParameterIn};
use salvo::{Depot, Request};

use super::limits::LAST_EVENT_ID_BYTES_MAX;
use crate::extract::{Take, extractor};
use crate::limits::PARAMETER_CHARS_MAX;
use crate::openapi::optional;
use crate::page::parameter;
use crate::problem::{self, Fault, Kind, Problem};

/// The header's name.
const HEADER: &str = "Last-Event-ID";
/// The query parameter's name.
pub(super) const PARAMETER: &str = "last_event_id";

/// The header, if there is one.
#[derive(Debug)]
pub struct LastEventId(Option<String>);

impl LastEventId {
    /// Reads the header, or else the parameter. `name`: what it should be.
    ///
    /// # Errors
    /// 400 for what is none of ours.
    pub(super) fn read<T>(
        self,
        given: Option<String>,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let (place, text) = match (self.0, given) {
            (Some(text), _) => (HEADER, text),
            (None, Some(text)) => (PARAMETER, text),
            (None, None) => return Ok(None),
        };
        // A browser sends it empty before it has seen an id.
        if text.is_empty() {
            return Ok(None);
        }
        match read(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(unusable(place, name)),
        }
    }

    /// Describes the query parameter.
    pub(super) fn parameter(about: &str, example: &str) -> Parameter {
        let schema = Object::with_type(BasicType::String).max_length(PARAMETER_CHARS_MAX);
        parameter(PARAMETER, about, schema, example.into())
    }
}

/// The problem of an id that this stream has not given out.
fn unusable(place: &str, name: &str) -> Problem {
    let detail = format!("{place} must be {name}");
    Problem::parameters(vec![Fault::parameter(place, detail)])
}

impl Take for LastEventId {
    async fn take(req: &mut Request, _depot: &mut Depot, _arg: &str) -> Result<Self, Problem> {
        let Some(value) = req.headers().get(HEADER) else {
            return Ok(Self(None));
        };
        match value.to_str() {
            Ok(text) if text.len() <= LAST_EVENT_ID_BYTES_MAX => Ok(Self(Some(text.to_owned()))),
            _ => Err(unusable(HEADER, "the id of an event")),
        }
    }

    fn describe(components: &mut Components, operation: &mut Operation, _arg: &str) {
        let schema = Object::with_type(BasicType::String).max_length(LAST_EVENT_ID_BYTES_MAX);
        operation.parameters.insert(optional(
            HEADER,
            ParameterIn::Header,
            "The `id` of the last message seen: the stream goes on after it.",
            schema,
            "4",
        ));
        problem::describe(components, operation, &[Kind::InvalidParameter]);
    }
}
extractor!(LastEventId);
