//! What a claim heeds of its queues. Each worker remembers it, so that a claim from a queue that
//! nobody paused or limited costs nothing more; a hint, or the end of five seconds, has it read again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use crate::Error;

/// How long the rules are believed without a hint.
const FRESH: Duration = Duration::from_secs(5);

/// What holds for one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) paused: bool,
    /// Whether there is a limit; the claim reads which.
    pub(crate) limited: bool,
}

/// What holds for the queues of one worker.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    by_queue: HashMap<String, Rule>,
    read_at: Option<Instant>,
}

impl Rules {
    /// Says that they are to be read before they are used again.
    pub(crate) const fn forget(&mut self) {
        self.read_at = None;
    }

    /// Whether they are to be read before they are used.
    pub(crate) fn stale(&self, now: Instant) -> bool {
        self.read_at
            .is_none_or(|at| now.duration_since(at) >= FRESH)
    }

    pub(crate) fn of(&self, queue: &str) -> Rule {
        self.by_queue.get(queue).copied().unwrap_or_default()
    }

    /// Reads them for these queues.
    pub(crate) async fn read(
        &mut self,
        connection: &mut PgConnection,
        queues: &[String],
    ) -> Result<(), Error> {
        let read_at = Instant::now();
        let rows = sqlx::query!(
            r#"select name, paused_at is not null as "paused!", max_running is not null as "limited!"
               from stepwell.queue where name = any ($1)"#,
            queues
        )
        .fetch_all(connection)
        .await?;
        self.by_queue = rows
            .into_iter()
            .map(|row| {
                let rule = Rule {
                    paused: row.paused,
                    limited: row.limited,
                };
                (row.name, rule)
            })
            .collect();
        self.read_at = Some(read_at);
        Ok(())
    }
}

/// Takes the row of a limited queue to the end of the transaction, so that one worker at a time
/// counts and claims; returns how many more of its jobs may be leased. `None`: there is no limit any
/// more. The count is a statement of its own: it must see what the one before it committed.
pub(crate) async fn room(
    connection: &mut PgConnection,
    queue: &str,
) -> Result<Option<usize>, Error> {
    let row = sqlx::query!(
        r#"select max_running, paused_at is not null as "paused!"
           from stepwell.queue where name = $1 for update"#,
        queue
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.paused {
        return Ok(Some(0));
    }
    let Some(most) = row.max_running else {
        return Ok(None);
    };
    let leased = sqlx::query_scalar!(
        r#"select count(*) as "count!" from stepwell.job where state = 'leased' and queue = $1"#,
        queue
    )
    .fetch_one(connection)
    .await?;
    Ok(Some(usize::try_from(i64::from(most) - leased).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_at_first_after_a_hint_and_when_they_are_old() {
        let now = Instant::now();
        let mut rules = Rules::default();
        assert!(rules.stale(now));
        assert_eq!(rules.of("default"), Rule::default());
        rules.read_at = Some(now);
        assert!(!rules.stale(now));
        assert!(rules.stale(now + FRESH));
        rules.forget();
        assert!(rules.stale(now));
    }
}
