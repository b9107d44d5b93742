//! What this process remembers of agents, workflows and keys is forgotten when another process changes
//! them. Hints may be lost: each memory also ends by itself after a few seconds.

use std::sync::OnceLock;

use tokio::sync::broadcast::error::RecvError;

use crate::listen::Hint;
use crate::{Store, agent, key, workflow};

/// Whether the task that heeds changes runs: it starts with the first look-up.
#[derive(Debug, Default)]
pub(crate) struct Heeding(OnceLock<()>);

impl Store {
    /// Starts, once, the task that forgets what has changed.
    pub(crate) fn heed_changes(&self) {
        self.desk.heeding.0.get_or_init(|| {
            let mut hints = self.hints();
            let workflows = self.workflows.clone();
            let agents = self.agents.clone();
            let keys = self.keys.clone();
            let closing = self.desk.closing.clone();
            tokio::spawn(async move {
                loop {
                    let heard = tokio::select! {
                        () = closing.cancelled() => return,
                        heard = hints.recv() => heard,
                    };
                    match heard {
                        Ok(Hint::Changed { entity, .. }) => match entity.as_str() {
                            workflow::ENTITY => workflows.forget_heads(),
                            agent::ENTITY => agents.forget(),
                            key::ENTITY => keys.forget(),
                            _ => {}
                        },
                        Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => {
                            workflows.forget_heads();
                            agents.forget();
                            keys.forget();
                        }
                        Ok(_) => {}
                        Err(RecvError::Closed) => return,
                    }
                }
            });
        });
    }
}
