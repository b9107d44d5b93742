//! What can go wrong between us and Postgres. An expected "no" is not an error but an answer.

use std::borrow::Cow;

/// A database operation that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres cannot be reached, is starting or stopping, or the pool is exhausted: try again.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// The database refused or broke a statement: ours to mend.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// What is stored cannot be read back.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// The schema is not at the version of this binary.
    #[error("{0}")]
    Schema(String),
}

impl Error {
    /// Returns the same error for another who waited for the same thing: the driver's own errors
    /// cannot be cloned.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Unavailable(error) => Self::Unavailable(again(error)),
            Self::Refused(error) => Self::Refused(again(error)),
            Self::Corrupt(what) => Self::Corrupt(what.clone()),
            Self::Schema(what) => Self::Schema(what.clone()),
        }
    }
}

fn again(error: &sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::PoolTimedOut => sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolClosed => sqlx::Error::PoolClosed,
        other => sqlx::Error::Io(std::io::Error::other(other.to_string())),
    }
}

/// Returns the SQLSTATE that the database answered with, if it was the database that answered.
pub(crate) fn sql_state(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
}

/// What a failed statement has done, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is gone: the statement may or may not have been committed.
    Broken,
    /// Nothing was written, and the same statement may go well later.
    Passing,
    /// Nothing was written, and a value or a row is to blame.
    Guilty,
}

impl Fault {
    /// Says what kind of fault this is.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let Some(code) = sql_state(error) else {
            return match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => Self::Broken,
                _ => Self::Guilty,
            };
        };
        match code.as_bytes() {
            // Ended by an administrator or a crash, or by a timeout of idle sessions.
            b"57P01" | b"57P02" | b"57P03" | b"57P04" | b"57P05" | b"25P03" => Self::Broken,
            [b'0', b'8', ..] => Self::Broken,
            // Deadlocks, serialisation, locks not to be had in time, statements cancelled, a full disk,
            // too many connections, a server that may not write yet.
            [b'4', b'0', ..] | [b'5', b'3', ..] | b"55P03" | b"57014" | b"25006" => Self::Passing,
            _ => Self::Guilty,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Broken | Fault::Passing => Self::Unavailable(error),
            Fault::Guilty => match &error {
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    Self::Corrupt(error.to_string())
                }
                _ => Self::Refused(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_unavailable() {
        let gone = sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into());
        assert_eq!(Fault::of(&gone), Fault::Broken);
        assert!(matches!(Error::from(gone), Error::Unavailable(_)));
        assert!(matches!(
            Error::from(sqlx::Error::PoolTimedOut),
            Error::Unavailable(_)
        ));
    }

    #[test]
    fn a_wrong_statement_is_ours_to_mend() {
        let wrong = sqlx::Error::ColumnNotFound("colour".into());
        assert!(matches!(Error::from(wrong), Error::Refused(_)));
    }
}
