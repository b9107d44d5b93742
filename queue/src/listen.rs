//! NOTIFY is a hint: one connection per process listens, and tells those who asked. Whoever waits
//! for a hint also polls.

use std::sync::{Arc, OnceLock};

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::Store;
use crate::backoff::Backoff;
use crate::detached::PutUpOn;
use crate::store::Desk;

/// The one channel of the product.
pub(crate) const CHANNEL: &str = "stepwell";

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A queue has due work.
    Work { queue: String },
    /// These runs have messages.
    Inbox { run_ids: Vec<Uuid> },
    /// These awaited runs are over.
    Ended { run_ids: Vec<Uuid> },
    /// Attempts were put up for others on this queue or topic.
    PutUp { kind: PutUpOn, lane: String },
    /// An agent or workflow changed: caches forget it.
    Changed { entity: String, id: Uuid },
    /// Somebody follows these runs, or (none) everything: whoever changes them is to say so.
    Watching { run_ids: Vec<Uuid> },
    /// These watched runs have new records; none: something has, and somebody follows everything.
    Moved { run_ids: Vec<Uuid> },
    /// The connection was lost and is back: anything may have been missed.
    Lagged,
}

impl Hint {
    /// Returns the hint as a payload: a letter, a colon, and what it is about.
    pub(crate) fn to_payload(&self) -> Option<String> {
        let listed = |ids: &[Uuid]| {
            let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
            ids.join(",")
        };
        match self {
            Self::Work { queue } => Some(format!("w:{queue}")),
            Self::Inbox { run_ids } => Some(format!("i:{}", listed(run_ids))),
            Self::Ended { run_ids } => Some(format!("e:{}", listed(run_ids))),
            Self::PutUp { kind, lane } => Some(format!("p:{}:{lane}", kind.as_str())),
            Self::Changed { entity, id } => Some(format!("c:{entity}:{id}")),
            Self::Watching { run_ids } => Some(format!("l:{}", listed(run_ids))),
            Self::Moved { run_ids } => Some(format!("m:{}", listed(run_ids))),
            Self::Lagged => None,
        }
    }

    /// Reads a payload. Anything else on the channel is nothing to us.
    pub(crate) fn from_payload(payload: &str) -> Option<Self> {
        let ids = |list: &str| {
            let ids: Result<Vec<Uuid>, _> = list.split(',').map(str::parse).collect();
            ids.ok()
        };
        match payload.split_once(':')? {
            ("w", queue) => Some(Self::Work {
                queue: queue.to_owned(),
            }),
            ("i", list) => ids(list).map(|run_ids| Self::Inbox { run_ids }),
            ("e", list) => ids(list).map(|run_ids| Self::Ended { run_ids }),
            ("p", rest) => {
                let (kind, lane) = rest.split_once(':')?;
                Some(Self::PutUp {
                    kind: PutUpOn::read(kind)?,
                    lane: lane.to_owned(),
                })
            }
            ("l", "") => Some(Self::Watching {
                run_ids: Vec::new(),
            }),
            ("l", list) => ids(list).map(|run_ids| Self::Watching { run_ids }),
            ("m", "") => Some(Self::Moved {
                run_ids: Vec::new(),
            }),
            ("m", list) => ids(list).map(|run_ids| Self::Moved { run_ids }),
            ("c", rest) => {
                let (entity, id) = rest.split_once(':')?;
                Some(Self::Changed {
                    entity: entity.to_owned(),
                    id: id.parse().ok()?,
                })
            }
            _ => None,
        }
    }
}

/// Whether the listening task runs: it starts with the first subscriber.
#[derive(Debug, Default)]
pub(crate) struct Listening(OnceLock<()>);

impl Store {
    /// Subscribes to hints, from the database and from within this process. Call it within a tokio
    /// runtime.
    #[must_use]
    pub fn hints(&self) -> broadcast::Receiver<Hint> {
        let hints = self.desk.hints.subscribe();
        if self.options.listen {
            self.desk.listening.0.get_or_init(|| {
                tokio::spawn(listen(Arc::clone(&self.desk)));
            });
        }
        hints
    }

    /// Says to every process that an agent or workflow changed. Call it after the commit.
    pub fn announce_changed(&self, entity: &str, id: Uuid) {
        self.announce(Hint::Changed {
            entity: entity.to_owned(),
            id,
        });
        self.tell_watchers(std::iter::empty());
    }
}

/// Listens until the store is closed; reconnects by itself.
async fn listen(desk: Arc<Desk>) {
    let mut backoff = Backoff::new();
    let mut first = true;
    loop {
        tokio::select! {
            () = desk.closing.cancelled() => return,
            ended = hear(&desk, &mut first, &mut backoff) => {
                let Err(error) = ended;
                tracing::debug!(%error, "not listening for hints, polling instead");
            }
        }
        tokio::select! {
            () = desk.closing.cancelled() => return,
            () = backoff.wait() => {}
        }
    }
}

/// One connection's life. `first`: nobody can have missed anything yet.
async fn hear(
    desk: &Desk,
    first: &mut bool,
    backoff: &mut Backoff,
) -> Result<std::convert::Infallible, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(desk.connect.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    backoff.reset();
    if !std::mem::replace(first, false) {
        let _ = desk.hints.send(Hint::Lagged);
    }
    loop {
        let Some(heard) = listener.try_recv().await? else {
            return Err(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        };
        // This process told itself already.
        if desk.notifier.is_own(heard.process_id()) {
            continue;
        }
        if let Some(hint) = Hint::from_payload(heard.payload()) {
            if let Hint::Watching { run_ids } = &hint {
                desk.interest.note(run_ids);
            }
            // Nobody listening is no fault.
            let _ = desk.hints.send(hint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_survives_its_payload() {
        let ids = vec![crate::clock::id(), crate::clock::id()];
        for hint in [
            Hint::Work {
                queue: "a:b ü".into(),
            },
            Hint::Inbox {
                run_ids: ids.clone(),
            },
            Hint::Ended {
                run_ids: ids.clone(),
            },
            Hint::PutUp {
                kind: PutUpOn::Topic,
                lane: "press.large".into(),
            },
            Hint::Watching {
                run_ids: ids.clone(),
            },
            Hint::Watching { run_ids: vec![] },
            Hint::Moved { run_ids: ids },
            Hint::Moved { run_ids: vec![] },
            Hint::Changed {
                entity: "agent".into(),
                id: crate::clock::id(),
            },
        ] {
            let payload = hint.to_payload();
            assert_eq!(payload.as_deref().and_then(Hint::from_payload), Some(hint));
        }
    }

    #[test]
    fn what_others_say_on_the_channel_is_ignored() {
        for odd in ["", "x", "i:", "i:1,2", "c:agent", "w"] {
            assert_eq!(Hint::from_payload(odd), None, "{odd}");
        }
    }
}
