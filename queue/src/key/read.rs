//! Keys are read, one or a page of them.

use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::{Key, Role};
use crate::{Error, Store};

/// Which keys, in which order, and from where.
#[derive(Clone, Copy, Debug)]
pub struct KeyFilter {
    /// Whether revoked ones are listed too.
    pub revoked: bool,
    /// Newest first.
    pub descending: bool,
    /// The last key of the page before.
    pub after: Option<Uuid>,
    pub offset: i64,
    pub limit: i64,
}

struct Row {
    id: Uuid,
    name: String,
    role: String,
    prefix: String,
    revision: i64,
    created_by: String,
    created_at: Time,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
    last_used_at: Option<Time>,
}

impl TryFrom<Row> for Key {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let role = Role::from_word(&row.role)
            .ok_or_else(|| Error::Corrupt(format!("key {} has the role {}", row.id, row.role)))?;
        Ok(Self {
            id: row.id,
            name: row.name,
            role,
            prefix: row.prefix,
            revision: row.revision,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
        })
    }
}

impl Store {
    /// Finds a key by id, or one that is not revoked by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn key(&self, name_or_id: &str) -> Result<Option<Key>, Error> {
        sqlx::query_as!(
            Row,
            "select id, name, role, prefix, revision, created_by, created_at, expires_at, revoked_at,
                    last_used_at
             from stepwell.api_key
             where id = $2 or (name = $1 and revoked_at is null)
             order by id = $2 desc
             limit 1",
            name_or_id,
            Uuid::try_parse(name_or_id).ok().unwrap_or_default(),
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Key::try_from)
        .transpose()
    }

    /// Lists keys by the time they were made.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list_keys(&self, filter: KeyFilter) -> Result<Vec<Key>, Error> {
        sqlx::query_as!(
            Row,
            "select id, name, role, prefix, revision, created_by, created_at, expires_at, revoked_at,
                    last_used_at
             from stepwell.api_key
             where ($1 or revoked_at is null)
               and ($2::uuid is null or case when $3 then id < $2 else id > $2 end)
             order by case when $3 then id end desc, id
             limit $4 offset $5",
            filter.revoked,
            filter.after,
            filter.descending,
            filter.limit,
            filter.offset,
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Key::try_from)
        .collect()
    }

    /// Counts keys, up to `at_most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_keys(&self, revoked: bool, at_most: i64) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from stepwell.api_key where $1 or revoked_at is null limit $2
               ) counted"#,
            revoked,
            at_most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(count)
    }
}

/// Reads the key with this hash.
pub(super) async fn by_hash(store: &Store, hash: [u8; 32]) -> Result<Option<Key>, Error> {
    sqlx::query_as!(
        Row,
        "select id, name, role, prefix, revision, created_by, created_at, expires_at, revoked_at,
                last_used_at
         from stepwell.api_key where hash = $1",
        &hash[..],
    )
    .fetch_optional(&store.pool)
    .await?
    .map(Key::try_from)
    .transpose()
}

/// Reads a key inside a transaction.
pub(super) async fn by_id(connection: &mut PgConnection, id: Uuid) -> Result<Option<Key>, Error> {
    sqlx::query_as!(
        Row,
        "select id, name, role, prefix, revision, created_by, created_at, expires_at, revoked_at,
                last_used_at
         from stepwell.api_key where id = $1",
        id,
    )
    .fetch_optional(connection)
    .await?
    .map(Key::try_from)
    .transpose()
}

/// Finds a key as [`Store::key`] does and holds its row to the end of the transaction.
pub(super) async fn locked(
    connection: &mut PgConnection,
    name_or_id: &str,
) -> Result<Option<Key>, Error> {
    sqlx::query_as!(
        Row,
        "select id, name, role, prefix, revision, created_by, created_at, expires_at, revoked_at,
                last_used_at
         from stepwell.api_key
         where id = $2 or (name = $1 and revoked_at is null)
         order by id = $2 desc
         limit 1
         for update",
        name_or_id,
        Uuid::try_parse(name_or_id).ok().unwrap_or_default(),
    )
    .fetch_optional(connection)
    .await?
    .map(Key::try_from)
    .transpose()
}
