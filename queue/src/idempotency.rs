//! `Idempotency-Key` for what is not a run: the key is stored in the transaction of what it made,
//! with the answer. Two requests with one key at the same time: the second waits for the first's
//! transaction and then hears its answer.

use std::sync::Arc;

use serde_json::value::RawValue;
use sqlx::PgConnection;

use crate::new_run::{Answer, Idempotency};
use crate::{Error, Store};

/// Keys forgotten in one statement, so that none of them holds locks for long.
const FORGET_BATCH: i64 = 5_000;

/// What a key turned out to be.
#[derive(Clone, Debug)]
pub enum Remembered {
    /// Seen for the first time, or again after more than 24 hours.
    Fresh,
    /// Used before with the same request.
    Replayed(Answer),
    /// Used before with another request.
    Reused,
}

/// Stores a key, or says what it was used for. A key is kept for 24 hours.
pub(crate) async fn remember(
    connection: &mut PgConnection,
    idempotency: &Idempotency,
) -> Result<Remembered, Error> {
    let answer = &idempotency.answer;
    // As text, because a JSON parameter goes as jsonb, and would come back in another order.
    let stored = sqlx::query!(
        "insert into stepwell.idempotency as known (scope, key, fingerprint, status, location, body)
         values ($1, $2, $3, $4, $5, $6::text::json)
         on conflict (scope, key) do update
             set fingerprint = excluded.fingerprint, status = excluded.status,
                 location = excluded.location, body = excluded.body, created_at = now()
             where known.created_at < now() - interval '24 hours'",
        idempotency.scope,
        idempotency.key,
        idempotency.fingerprint,
        i16::try_from(answer.status).unwrap_or(i16::MAX),
        answer.location,
        answer.body.get(),
    )
    .execute(&mut *connection)
    .await?;
    if stored.rows_affected() == 1 {
        return Ok(Remembered::Fresh);
    }
    let known = sqlx::query_as!(
        Known,
        r#"select fingerprint, status, location, body::text as "body!"
           from stepwell.idempotency where scope = $1 and key = $2"#,
        idempotency.scope,
        idempotency.key,
    )
    .fetch_one(connection)
    .await?;
    known.told(idempotency)
}

/// What is stored of a key.
struct Known {
    fingerprint: Vec<u8>,
    status: i16,
    location: Option<String>,
    body: String,
}

impl Known {
    fn told(self, idempotency: &Idempotency) -> Result<Remembered, Error> {
        if self.fingerprint != idempotency.fingerprint {
            return Ok(Remembered::Reused);
        }
        Ok(Remembered::Replayed(Answer {
            status: u16::try_from(self.status)
                .map_err(|_| Error::Corrupt("a stored answer has no HTTP status".into()))?,
            location: self.location,
            body: RawValue::from_string(self.body)
                .map(Arc::from)
                .map_err(|_| Error::Corrupt("a stored answer is not JSON".into()))?,
        }))
    }
}

impl Store {
    /// Says what a key was used for, and stores nothing: for who must know it before the change.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn recall(&self, idempotency: &Idempotency) -> Result<Remembered, Error> {
        let known = sqlx::query_as!(
            Known,
            r#"select fingerprint, status, location, body::text as "body!"
               from stepwell.idempotency
               where scope = $1 and key = $2 and created_at >= now() - interval '24 hours'"#,
            idempotency.scope,
            idempotency.key,
        )
        .fetch_optional(&self.pool)
        .await?;
        known.map_or(Ok(Remembered::Fresh), |known| known.told(idempotency))
    }

    /// Forgets keys older than 24 hours, a batch at a time; returns how many. Zero means that none
    /// is left.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_idempotency_keys(&self) -> Result<u64, Error> {
        let forgotten = sqlx::query!(
            "delete from stepwell.idempotency
             where (scope, key) in (
                 select scope, key from stepwell.idempotency
                 where created_at < now() - interval '24 hours'
                 limit $1
                 for update skip locked
             )",
            FORGET_BATCH,
        )
        .execute(&self.pool)
        .await?;
        Ok(forgotten.rows_affected())
    }
}
