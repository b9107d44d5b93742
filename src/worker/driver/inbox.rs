//! Messages become events.

use stepwell_queue::Message;
use stepwell_queue::inbox::Word;
use stepwell_workflow::{Event, StepKey};

/// Returns the event that a message stands for; `None` when it was only to wake the driver.
pub(crate) fn event_of(message: Message) -> Option<Event> {
    let actor = message.actor.name;
    let request_id = message.actor.request_id;
    Some(match message.word {
        Word::Admitted => return None,
        Word::Cancel { reason } => Event::Cancel {
            reason,
            actor,
            request_id,
        },
        Word::Signal { name, payload } => Event::Signal {
            name,
            payload,
            actor,
            request_id,
        },
        Word::Pause => Event::Pause { actor, request_id },
        Word::Resume => Event::Resume { actor, request_id },
        Word::Retry { from_step, reset } => Event::Retry { from_step, reset },
        Word::Reported(report) => Event::Reported {
            key: report.key,
            generation: report.generation,
            attempt: report.attempt,
            agent_policy: report.agent_policy,
            outcome: report.outcome,
        },
        Word::Check => Event::Check,
        Word::ChildEnded {
            step,
            item,
            child_run_id,
            result,
        } => Event::ChildEnded {
            key: StepKey { step, item },
            child_run_id,
            result,
        },
    })
}

/// Says whether a message must be heard before the run begins: once it has, its first step starts.
pub(crate) fn comes_before_begin(message: &Message) -> bool {
    matches!(
        message.word,
        Word::Retry { .. } | Word::Check | Word::Pause | Word::Resume
    )
}
