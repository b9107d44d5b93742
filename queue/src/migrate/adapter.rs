//! refinery on a sqlx connection: it knows neither.

use refinery_core::Migration;
use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::{Error, transaction};

/// A connection that refinery can migrate.
#[derive(Debug)]
pub(super) struct Adapter<'c>(pub(super) &'c mut PgConnection);

impl AsyncTransaction for Adapter<'_> {
    type Error = sqlx::Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, sqlx::Error> {
        let mut transaction = transaction::begin(self.0).await?;
        let mut count = 0;
        for query in queries {
            // From the embedded files and from refinery itself.
            sqlx::raw_sql(AssertSqlSafe(query.to_owned()))
                .execute(&mut *transaction)
                .await?;
            count += 1;
        }
        transaction.commit().await?;
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Adapter<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, sqlx::Error> {
        let rows = sqlx::query(AssertSqlSafe(query.to_owned()))
            .fetch_all(&mut *self.0)
            .await?;
        rows.iter()
            .map(|row| {
                let bad = |e: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(e);
                let applied_on: String = row.try_get(2)?;
                let checksum: String = row.try_get(3)?;
                Ok(Migration::applied(
                    row.try_get(0)?,
                    row.try_get(1)?,
                    time::OffsetDateTime::parse(
                        &applied_on,
                        &time::format_description::well_known::Rfc3339,
                    )
                    .map_err(|e| bad(e.into()))?,
                    checksum
                        .parse()
                        .map_err(|e: std::num::ParseIntError| bad(e.into()))?,
                ))
            })
            .collect()
    }
}

impl AsyncMigrate for Adapter<'_> {}

/// Says what went wrong, with the database's own words.
pub(super) fn schema_error(error: &refinery::Error) -> Error {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    Error::Schema(text)
}
