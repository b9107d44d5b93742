//! Checks are asked one by one, piece by piece. A statement that takes too long is cancelled and its
//! piece cut into two: an old snapshot keeps dead rows alive, and the claim walks over those.

use std::time::Duration;

use super::checks::{LIST, Listed, Row};
use super::days::Piece;
use super::lasting;
use super::{Found, Reach};
use crate::error::sql_state;
use crate::{Error, Store, transaction};

/// How long a statement may take, and so a snapshot be held: a queue of 10,000 runs a second is not yet
/// slowed by what dies meanwhile.
pub(super) const STATEMENT_MAX: Duration = Duration::from_secs(10);
/// Breaches of a check that are told: the first ones show what is wrong, the count how bad it is. Each
/// statement gives as many.
pub(super) const EXAMPLES_MAX: usize = 10;
/// What Postgres says of a statement that took too long.
const CANCELLED: &str = "57014";

impl Store {
    /// Looks whether everything is as it must be. It changes nothing, and may take minutes where there is
    /// much to look at; the database is busy with one statement of it at a time.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what was found until then is not told.
    pub async fn look(&self, reach: Reach) -> Result<Vec<Found>, Error> {
        let mut found = self.look_once(reach).await?;
        found.extend(lasting::look(self).await?);
        Ok(found)
    }

    /// Looks at all but what only shows over time.
    ///
    /// # Errors
    /// As [`Store::look`].
    pub async fn look_once(&self, reach: Reach) -> Result<Vec<Found>, Error> {
        let mut found = Vec::with_capacity(LIST.len());
        for listed in LIST {
            found.push(self.ask(listed, reach).await?);
        }
        Ok(found)
    }

    async fn ask(&self, listed: &Listed, reach: Reach) -> Result<Found, Error> {
        let mut found = Found::none(listed.check);
        // The next piece is the last one.
        let mut pieces = self.pieces(listed.over, reach).await?;
        pieces.reverse();
        while let Some(piece) = pieces.pop() {
            match self.ask_of(listed, piece).await? {
                Some(row) => found.add(row.breaches, row.examples),
                None => match piece.halves().filter(|_| listed.over.has_pieces()) {
                    Some([older, newer]) => pieces.extend([older, newer]),
                    None => found.complete = false,
                },
            }
        }
        Ok(found)
    }

    /// Asks a check of a piece; `None`: it took too long.
    async fn ask_of(&self, listed: &Listed, piece: Piece) -> Result<Option<Row>, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        sqlx::query!(
            "select set_config('statement_timeout', $1, true) as timeout,
                    set_config('transaction_read_only', 'on', true) as read_only",
            STATEMENT_MAX.as_millis().to_string()
        )
        .fetch_one(&mut *transaction)
        .await?;
        let answer = (listed.ask)(&mut transaction, &piece).await;
        match answer {
            Ok(row) => {
                transaction.commit().await?;
                Ok(Some(row))
            }
            Err(error) if sql_state(&error).as_deref() == Some(CANCELLED) => {
                transaction.rollback().await?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
