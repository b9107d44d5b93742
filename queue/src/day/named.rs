//! A connection on which statements name the partitions of a day.

use futures::future::{self, BoxFuture, FutureExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr};

use super::On;

/// A statement as the connection takes it.
type Renamed = (SqlStr, Option<PgArguments>);

/// Runs each statement as the connection would, with the names exchanged.
#[derive(Debug)]
pub(crate) struct Named<'c> {
    connection: &'c mut PgConnection,
    on: On,
}

impl<'c> Named<'c> {
    pub(super) fn new(connection: &'c mut PgConnection, on: On) -> Self {
        Self { connection, on }
    }

    /// The same query with the names exchanged.
    fn renamed<'q>(&self, mut query: impl Execute<'q, Postgres>) -> Result<Renamed, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        Ok((self.on.rename(query.sql()), arguments))
    }
}

impl<'c> Executor<'c> for Named<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.renamed(query) {
            Ok(renamed) => self.connection.fetch_many(renamed),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.renamed(query) {
            Ok(renamed) => self.connection.fetch_optional(renamed),
            Err(error) => future::ready(Err(error)).boxed(),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.connection
            .prepare_with(self.on.rename(sql), parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.connection.describe(self.on.rename(sql))
    }
}
