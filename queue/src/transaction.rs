//! The gate that every transaction of several statements passes through: its time is limited.
//!
//! A process can be frozen or cut off between any two statements, and what it has locked by then stays
//! locked until the server ends the session. So the server is told how long it waits for the next statement,
//! and nobody waits for a lock without an end: no process holds up another for longer than
//! [`HELD_UP_MAX`]. Direct sessions have these limits from their start, for single statements as well; behind
//! a pooler they come with each transaction. COPY is out of their reach: whoever is frozen within one holds
//! nothing but its own worker's row, and the rescue ends its session (`crate::worker`).

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};

/// How long one process can hold up others, at most: what it holds is given up after
/// `idle_in_transaction_session_timeout`, and who waits for it has time left then.
pub const HELD_UP_MAX: Duration = Duration::from_secs(10);

/// The limits of a session, as Postgres's settings. A healthy process says its next statement within
/// milliseconds. Who waits for a lock waits longer than whoever holds it may be silent, so that a lost
/// process costs the others time and no error.
pub(crate) const LIMITS: [(&str, &str); 2] = [
    ("idle_in_transaction_session_timeout", "5s"),
    ("lock_timeout", "8s"),
];

/// `begin` with [`LIMITS`], in one round trip.
const BEGIN: &str = "begin; \
    set local idle_in_transaction_session_timeout = '5s'; \
    set local lock_timeout = '8s'";

/// Begins a transaction on a connection; within another one, a savepoint of it.
///
/// # Errors
/// Those of the connection.
#[expect(clippy::disallowed_methods, reason = "this is the gate")]
pub(crate) async fn begin(
    connection: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    if connection.is_in_transaction() {
        connection.begin().await
    } else {
        connection.begin_with(BEGIN).await
    }
}

/// Begins a transaction on a connection of a pool.
///
/// # Errors
/// Those of the connection, and that none was free in time.
#[expect(clippy::disallowed_methods, reason = "this is the gate")]
pub(crate) async fn begin_in(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with(BEGIN).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_transaction_sets_is_what_a_session_has() {
        for (name, value) in LIMITS {
            assert!(
                BEGIN.contains(&format!("set local {name} = '{value}'")),
                "{name}"
            );
        }
        assert_eq!(BEGIN.matches("set local").count(), LIMITS.len());
    }
}
