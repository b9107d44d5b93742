//! The answer of what may be over at once, or under way: 200 or 202, with the run.

use salvo::oapi::{Components, EndpointOutRegister, Operation};
use salvo::{Depot, Request, Response, Writer, async_trait};
use stepwell_queue::new_run::Answer as Stored;

use super::wire::Run;
use crate::answer::{Accepted, Found};

/// How far a run is.
#[derive(Debug)]
pub enum Progress {
    /// Nothing is left to do: 200.
    Done(Run),
    /// Durable, and on its way: 202.
    Accepted { body: Run, location: Option<String> },
    /// The first answer again.
    Before(Stored),
}

#[async_trait]
impl Writer for Progress {
    async fn write(self, req: &mut Request, depot: &mut Depot, res: &mut Response) {
        match self {
            Self::Done(run) => Found(run).write(req, depot, res).await,
            Self::Accepted { body, location } => {
                Accepted::Now { body, location }
                    .write(req, depot, res)
                    .await;
            }
            Self::Before(stored) => {
                Accepted::<Run>::Before(stored).write(req, depot, res).await;
            }
        }
    }
}

impl EndpointOutRegister for Progress {
    fn register(components: &mut Components, operation: &mut Operation) {
        Found::<Run>::register(components, operation);
        Accepted::<Run>::register(components, operation);
    }
}
