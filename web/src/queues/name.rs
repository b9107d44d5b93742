//! The queue that a path names. What cannot be the name of a queue is no queue: 404.

use salvo::oapi::{BasicType, Components, Object, Operation, Parameter, ParameterIn};
use salvo::{Depot, Request};

use crate::extract::{Take, extractor};
use crate::problem::{self, Kind, Problem};
use crate::runs::order::is_queue;

/// The name of a queue, from the path.
#[derive(Clone, Debug)]
pub struct QueueName(pub String);

impl Take for QueueName {
    async fn take(req: &mut Request, _depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let name = req.param::<String>(arg).unwrap_or_default();
        if is_queue(&name) {
            Ok(Self(name))
        } else {
            Err(Problem::not_found("queue", &name))
        }
    }

    fn describe(components: &mut Components, operation: &mut Operation, arg: &str) {
        let parameter = Parameter::new(arg)
            .location(ParameterIn::Path)
            .description("Its name.")
            .schema(
                Object::with_type(BasicType::String).pattern("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
            )
            .example("default".into());
        operation.parameters.insert(parameter);
        problem::describe(components, operation, &[Kind::NotFound]);
    }
}
extractor!(QueueName);
