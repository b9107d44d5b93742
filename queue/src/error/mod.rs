//! What can go wrong between us and Postgres. An expected "no" is not an error but an answer.

mod fault;

pub(crate) use fault::{Fault, ends_session, sql_state};

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

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Broken | Fault::Passing => Self::Unavailable(error),
            Fault::Strange | Fault::Guilty => match &error {
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
