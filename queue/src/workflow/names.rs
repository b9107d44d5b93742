//! Says which of the agents and workflows that a definition names exist, in one statement.

use std::collections::HashSet;

use crate::{Error, Store};

impl Store {
    /// Returns those of `names` (names or ids) that no agent has.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn unknown_agents(&self, names: &[String]) -> Result<HashSet<String>, Error> {
        let unknown = sqlx::query_scalar!(
            r#"select wanted.name as "name!" from unnest($1::text[]) as wanted(name)
               where not exists (select from stepwell.agent a where a.deleted_at is null
                                 and (a.name = wanted.name or a.id::text = lower(wanted.name)))"#,
            names
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(unknown.into_iter().collect())
    }

    /// Returns those of `names` (slugs or ids) that no workflow has.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn unknown_workflows(&self, names: &[String]) -> Result<HashSet<String>, Error> {
        let unknown = sqlx::query_scalar!(
            r#"select wanted.name as "name!" from unnest($1::text[]) as wanted(name)
               where not exists (select from stepwell.workflow w where w.deleted_at is null
                                 and (w.slug = wanted.name or w.id::text = lower(wanted.name)))"#,
            names
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(unknown.into_iter().collect())
    }

    /// Returns those of these versions that workflows (slugs or ids) do not have. A workflow that does not
    /// exist lacks none: that is said by [`Self::unknown_workflows`].
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn unknown_versions(
        &self,
        names: &[String],
        versions: &[i32],
    ) -> Result<HashSet<(String, i32)>, Error> {
        let unknown = sqlx::query!(
            r#"select wanted.name as "name!", wanted.version as "version!"
               from (select unnest($1::text[]) as name, unnest($2::int[]) as version) as wanted
               join stepwell.workflow w on w.deleted_at is null
                    and (w.slug = wanted.name or w.id::text = lower(wanted.name))
               where not exists (select from stepwell.workflow_version v
                                 where v.workflow_id = w.id and v.version = wanted.version)"#,
            names,
            versions
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(unknown
            .into_iter()
            .map(|row| (row.name, row.version))
            .collect())
    }
}
