//! Whether a pooler keeps the prepared statements of its clients apart.
//!
//! Statements are prepared under names that each connection counts by itself. A pooler in transaction mode that does
//! not know of them gives two clients the same session in turn: the second is told that its name is taken, or,
//! worse, runs what the first prepared under it. So a process looks before it does anything else.

use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::error::sql_state;
use crate::{Error, Store};

/// `duplicate_prepared_statement` and `invalid_sql_statement_name`.
const MIXED_UP: [&str; 2] = ["42P05", "26000"];

impl Store {
    /// Says whether two connections can prepare statements in turn. Always so where sessions are direct, that is
    /// where `listen` is set.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn keeps_statements_apart(&self) -> Result<bool, Error> {
        if self.options.listen {
            return Ok(true);
        }
        let mut one = self.desk.connect.connect().await?;
        let mut other = self.desk.connect.connect().await?;
        for _ in 0..2 {
            for connection in [&mut one, &mut other] {
                if !prepares(connection).await? {
                    return Ok(false);
                }
            }
        }
        // Whether they say goodbye is of no interest.
        let _ = (one.close().await, other.close().await);
        Ok(true)
    }
}

async fn prepares(connection: &mut PgConnection) -> Result<bool, Error> {
    let asked = sqlx::query!("select 1 as one").fetch_one(connection).await;
    match asked {
        Ok(_) => Ok(true),
        Err(error) if sql_state(&error).is_some_and(|code| MIXED_UP.contains(&&*code)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
