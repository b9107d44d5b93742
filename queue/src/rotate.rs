//! Every secret is encrypted anew under the first master key. In batches, each a transaction with its
//! audit record; what is encrypted under that key already is passed over, so that a rotation that
//! broke off is simply started again.

use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};

use crate::audit::{self, Entry};
use crate::secret::Cipher;
use crate::workflow::secrets::owner;
use crate::{Actor, Error, Store, transaction};

/// Rows of one transaction: their locks are held for milliseconds.
const BATCH: i64 = 200;
const ENTITY: &str = "secret";

/// What was encrypted anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Agents' credentials.
    pub agents: u64,
    /// Versions of workflows with signing secrets.
    pub versions: u64,
    /// Secrets of subscriptions.
    pub subscriptions: u64,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Rotation {
    Done(Rotated),
    NoMasterKey,
}

/// The tables that hold secrets.
#[derive(Clone, Copy)]
enum Table {
    Agents,
    Versions,
    Subscriptions,
}

impl Store {
    /// Encrypts every secret under the first master key.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when a secret's key is not at hand: what went before it is done, and says so
    /// in the audit log. [`Error::Unavailable`].
    pub async fn rotate_secrets(&self, actor: &Actor) -> Result<Rotation, Error> {
        let Some(cipher) = self.cipher()? else {
            return Ok(Rotation::NoMasterKey);
        };
        let rotation = crate::clock::id();
        let mut rotated = Rotated::default();
        let mut sequence = 0;
        for table in [Table::Agents, Table::Versions, Table::Subscriptions] {
            loop {
                let mut transaction = transaction::begin_in(&self.pool).await?;
                let count = match table {
                    Table::Agents => agents(&mut transaction, &cipher).await?,
                    Table::Versions => versions(&mut transaction, &cipher).await?,
                    Table::Subscriptions => subscriptions(&mut transaction, &cipher).await?,
                };
                if count == 0 {
                    break;
                }
                sequence += 1;
                let (name, sum) = match table {
                    Table::Agents => ("agent", &mut rotated.agents),
                    Table::Versions => ("workflow_version", &mut rotated.versions),
                    Table::Subscriptions => ("subscription", &mut rotated.subscriptions),
                };
                *sum += count;
                let entry = Entry {
                    entity_type: ENTITY,
                    entity_id: rotation,
                    sequence,
                    action: "secret.rotated",
                    before: None,
                    after: Some(json!({"of": name, "count": count, "key_id": cipher.key_id()})),
                    actor,
                };
                finish(transaction, entry).await?;
            }
        }
        Ok(Rotation::Done(rotated))
    }
}

async fn finish(mut transaction: Transaction<'_, Postgres>, entry: Entry<'_>) -> Result<(), Error> {
    audit::write(&mut transaction, entry).await?;
    transaction.commit().await?;
    Ok(())
}

/// Encrypts a batch of agents' credentials; returns how many.
async fn agents(connection: &mut PgConnection, cipher: &Cipher) -> Result<u64, Error> {
    let rows = sqlx::query!(
        r#"select id, auth_secret as "secret!" from stepwell.agent
           where auth_secret is not null and substring(auth_secret for 5) <> $1
           order by id limit $2 for update"#,
        cipher.mark(),
        BATCH,
    )
    .fetch_all(&mut *connection)
    .await?;
    let (mut ids, mut secrets) = (Vec::new(), Vec::new());
    for row in &rows {
        ids.push(row.id);
        secrets.push(cipher.seal(row.id, &cipher.open(row.id, &row.secret)?)?);
    }
    let done = sqlx::query!(
        "update stepwell.agent set auth_secret = anew.secret
         from unnest($1::uuid[], $2::bytea[]) as anew(id, secret)
         where agent.id = anew.id",
        &ids,
        &secrets,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Encrypts a batch of versions' signing secrets; returns how many.
async fn versions(connection: &mut PgConnection, cipher: &Cipher) -> Result<u64, Error> {
    let rows = sqlx::query!(
        r#"select workflow_id, version, secrets as "secrets!" from stepwell.workflow_version
           where secrets is not null and substring(secrets for 5) <> $1
           order by workflow_id, version limit $2 for update"#,
        cipher.mark(),
        BATCH,
    )
    .fetch_all(&mut *connection)
    .await?;
    let (mut ids, mut numbers, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let owner = owner(row.workflow_id, row.version);
        ids.push(row.workflow_id);
        numbers.push(row.version);
        secrets.push(cipher.seal(owner, &cipher.open(owner, &row.secrets)?)?);
    }
    let done = sqlx::query!(
        "update stepwell.workflow_version set secrets = anew.secrets
         from unnest($1::uuid[], $2::int[], $3::bytea[]) as anew(workflow_id, version, secrets)
         where workflow_version.workflow_id = anew.workflow_id
           and workflow_version.version = anew.version",
        &ids,
        &numbers,
        &secrets,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Encrypts a batch of subscriptions' secrets, those among them that are being replaced too; returns
/// how many subscriptions.
async fn subscriptions(connection: &mut PgConnection, cipher: &Cipher) -> Result<u64, Error> {
    let rows = sqlx::query!(
        "select id, secret, old_secret from stepwell.subscription
         where substring(secret for 5) <> $1 or substring(old_secret for 5) <> $1
         order by id limit $2 for update",
        cipher.mark(),
        BATCH,
    )
    .fetch_all(&mut *connection)
    .await?;
    let (mut ids, mut secrets, mut old_secrets) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let anew = |secret: &[u8]| cipher.seal(row.id, &cipher.open(row.id, secret)?);
        ids.push(row.id);
        secrets.push(anew(&row.secret)?);
        old_secrets.push(row.old_secret.as_deref().map(anew).transpose()?);
    }
    let done = sqlx::query!(
        "update stepwell.subscription set secret = anew.secret, old_secret = anew.old_secret
         from (select unnest($1::uuid[]) as id, unnest($2::bytea[]) as secret, unnest($3::bytea[]) as old_secret) as anew
         where subscription.id = anew.id",
        &ids,
        &secrets,
        &old_secrets as _,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
