//! Whose fault it is that a statement failed, by the code that Postgres gave (appendix A of its manual).
//!
//! A run must not fail for what it has not done, so only what is provably a value's or a row's fault is
//! guilty; what is not on a list is not known to be anybody's. A server that is newer than the lists, a
//! trigger of somebody else, an extension: each may give any code.

use std::borrow::Cow;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// What a failed statement has done, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is gone: the statement may or may not have been committed.
    Broken,
    /// Nothing was written, for a reason that concerns all statements; the same one goes well later.
    Passing,
    /// Nothing was written. Nobody knows whether that passes, nor that a row is to blame.
    Strange,
    /// Nothing was written, and a value or a row is to blame.
    Guilty,
}

/// Classes of codes that are about all statements: transactions that collide, resources, operators who intervene,
/// the system below, a limit of the configuration, a snapshot that is too old.
const PASSING_CLASSES: [&[u8]; 6] = [b"40", b"53", b"57", b"58", b"F0", b"72"];
/// Codes of other classes that are: a server that may not write yet, a transaction that took too long or said
/// nothing for too long, objects that are in use, locks not to be had in time.
const PASSING: [&[u8; 5]; 5] = [b"25006", b"25P03", b"25P04", b"55006", b"55P03"];
/// Codes that say that the session ends, which may be just after a commit, or that nobody knows what was done.
const BROKEN: [&[u8; 5]; 6] = [b"57P01", b"57P02", b"57P03", b"57P04", b"57P05", b"40003"];
/// Classes of codes that name a value or a row: more than one row for one, values that do not fit, constraints,
/// views' checks, and what is larger than Postgres takes.
const GUILTY_CLASSES: [&[u8]; 5] = [b"21", b"22", b"23", b"44", b"54"];
/// Codes of other classes that do: values of a type that cannot be made the column's.
const GUILTY: [&[u8; 5]; 2] = [b"42804", b"42846"];

impl Fault {
    /// Says what kind of fault this is.
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match sql_state(error) {
            Some(code) => Self::of_code(code.as_bytes()),
            None => match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed => Self::Broken,
                // What we gave or got cannot be written or read.
                _ => Self::Guilty,
            },
        }
    }

    fn of_code(code: &[u8]) -> Self {
        let class = |classes: &[&[u8]]| classes.iter().any(|class| code.starts_with(class));
        let named = |codes: &[&[u8; 5]]| codes.iter().any(|known| code == *known);
        if named(&BROKEN) || class(&[b"08"]) {
            Self::Broken
        } else if named(&PASSING) || class(&PASSING_CLASSES) {
            Self::Passing
        } else if named(&GUILTY) || class(&GUILTY_CLASSES) {
            Self::Guilty
        } else {
            Self::Strange
        }
    }
}

/// Returns the SQLSTATE that the database answered with, if it was the database that answered.
pub(crate) fn sql_state(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
}

/// Whether the session is over with this error: the next statement needs another.
pub(crate) fn ends_session(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    let answered = database.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    answered.is_none_or(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

#[cfg(test)]
mod tests;
