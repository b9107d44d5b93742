//! The run that a path names. What is no UUID is no run: 404, as for an unknown one.

use salvo::oapi::{Components, Operation};
use salvo::{Depot, Request};
use uuid::Uuid;

use crate::extract::{Take, extractor};
use crate::path::Id;
use crate::problem::{Kind, Problem};

/// The id of a run, from the path.
#[derive(Clone, Copy, Debug)]
pub struct RunId(pub Uuid);

impl RunId {
    /// The problem of an id that no run has.
    #[must_use]
    pub fn unknown(self) -> Problem {
        Problem::not_found("run", &self.0.to_string())
    }
}

impl Take for RunId {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let text = req.param::<String>(arg).unwrap_or_default();
        Uuid::try_parse(&text).map(Self).map_err(|_| {
            Problem::new(
                Kind::NotFound,
                format!("There is no run {text:?}: the id of a run is a UUID."),
            )
        })
    }

    fn describe(components: &mut Components, operation: &mut Operation, arg: &str) {
        Id::describe(components, operation, arg);
    }
}
extractor!(RunId);
