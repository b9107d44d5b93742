//! Lets the API ask agents how they are, as a worker would call them.

use futures::FutureExt;
use futures::future::BoxFuture;
use stepwell::worker::pulse;
use stepwell_web::agents::health::{AskAgents, Heard, Question};

/// The API's way to the agents.
#[derive(Clone, Debug)]
pub(super) struct Pulse(pub(super) pulse::Pulse);

impl AskAgents for Pulse {
    fn ask(&self, question: Question) -> BoxFuture<'static, Heard> {
        let pulse = self.0.clone();
        async move {
            let heard = pulse.ask(
                &question.agent,
                question.health_path.as_deref(),
                &question.request_id,
                question.patience,
            );
            match heard.await {
                pulse::Heard::Answered { status } => Heard::Answered { status },
                pulse::Heard::Silent => Heard::Silent,
                pulse::Heard::Refused(why) => Heard::Refused(why),
            }
        }
        .boxed()
    }
}
