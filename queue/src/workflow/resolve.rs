//! From a name to a compiled version.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::{Definition, Plan};
use uuid::Uuid;

use super::cache::{Compiled, Head};
use super::{PlannedVersion, Secrets};
use crate::{Apart, Error, Store};

/// Bytes of a definition that is compiled where it is needed: a millisecond or two.
const COMPILED_IN_PLACE_BYTES_MAX: usize = 16 << 10;
/// Larger definitions that are compiled at once.
const COMPILED_AT_ONCE: usize = 2;

/// Everybody waits for a turn: what is stored was compiled before, and is wanted by many.
static COMPILING: Apart = Apart::new(COMPILED_AT_ONCE, usize::MAX);

impl Store {
    /// Returns a version, compiled. Versions never change, so the cache needs no invalidation. A
    /// deleted workflow's versions are still there for the runs that have them.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the stored definition no longer compiles.
    pub async fn planned(
        &self,
        workflow_id: Uuid,
        version: i32,
    ) -> Result<Option<PlannedVersion>, Error> {
        let load = self.compile_version(workflow_id, version);
        let compiled = self
            .workflows
            .plans
            .get((workflow_id, version), load)
            .await?;
        Ok(compiled.map(|compiled| compiled.version(workflow_id, version)))
    }

    /// Returns a version that this process has compiled before, and asks nobody. As [`Store::planned`]
    /// does at a fraction of the cost: for each of many runs.
    pub async fn planned_before(&self, workflow_id: Uuid, version: i32) -> Option<PlannedVersion> {
        let compiled = self.workflows.plans.peek(&(workflow_id, version)).await?;
        Some(compiled.version(workflow_id, version))
    }

    /// Finds a workflow by slug or id and returns the named version, else its latest. The latest
    /// number is cached until a hint says that it changed, at the longest for five seconds.
    ///
    /// # Errors
    /// As [`Store::planned`].
    pub async fn resolve(
        &self,
        slug_or_id: &str,
        version: Option<i32>,
    ) -> Result<Option<PlannedVersion>, Error> {
        let Some(head) = self.workflow_head(slug_or_id).await? else {
            return Ok(None);
        };
        let version = version.unwrap_or(head.latest);
        let planned = self.planned(head.workflow_id, version).await?;
        Ok(planned.map(|planned| PlannedVersion {
            active: head.active,
            ..planned
        }))
    }

    async fn workflow_head(&self, slug_or_id: &str) -> Result<Option<Head>, Error> {
        self.heed_changes();
        let load = self.read_head(slug_or_id);
        self.workflows.heads.get(slug_or_id.to_owned(), load).await
    }

    async fn read_head(&self, slug_or_id: &str) -> Result<Option<Head>, Error> {
        let id = Uuid::parse_str(slug_or_id).ok();
        let row = sqlx::query!(
            r#"select id, latest_version, status = 'active' as "active!" from stepwell.workflow
               where deleted_at is null and (id = $1 or ($1 is null and slug = $2))"#,
            id,
            slug_or_id
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Head {
            workflow_id: row.id,
            latest: row.latest_version,
            active: row.active,
        }))
    }

    async fn compile_version(
        &self,
        workflow_id: Uuid,
        version: i32,
    ) -> Result<Option<Compiled>, Error> {
        let Some(row) = sqlx::query!(
            r#"select w.slug, v.definition as "definition: Json<Box<RawValue>>", v.secrets
               from stepwell.workflow_version v join stepwell.workflow w on w.id = v.workflow_id
               where v.workflow_id = $1 and v.version = $2"#,
            workflow_id,
            version
        )
        .fetch_optional(&self.pool)
        .await?
        else {
            return Ok(None);
        };
        let cipher = self.cipher()?;
        let stored = row.secrets.as_deref();
        let secrets = Secrets::open(cipher.as_ref(), workflow_id, version, stored)?;
        let text = row.definition.0;
        let text_bytes = u32::try_from(text.get().len()).unwrap_or(u32::MAX);
        let corrupt = move |cause: String| {
            Error::Corrupt(format!("workflow {workflow_id} version {version}: {cause}"))
        };
        // A large definition takes long enough to compile that other requests would feel it.
        let bytes = text.get().len();
        let compile = || compile(&text, &secrets);
        let plan = if bytes <= COMPILED_IN_PLACE_BYTES_MAX {
            compile()
        } else {
            COMPILING.call(compile).await
        };
        let plan = plan.map_err(corrupt)?;
        Ok(Some(Compiled {
            workflow_name: row.slug.into(),
            plan: Arc::new(plan),
            text_bytes,
        }))
    }
}

fn compile(text: &RawValue, secrets: &Secrets) -> Result<Plan, String> {
    // By way of a value, as when it was checked: a field that was written twice counts the last time.
    let mut document: Value =
        serde_json::from_str(text.get()).map_err(|error| error.to_string())?;
    secrets.put_into(&mut document);
    let definition = Definition::deserialize(document).map_err(|error| error.to_string())?;
    Plan::compile(&definition).map_err(|findings| findings.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{RawValue, Secrets, compile};

    #[test]
    fn a_field_that_was_written_twice_counts_the_last_time() {
        let text = r#"{"name": "a", "steps": [{"name": "s", "name": "t", "type": "transform",
            "config": {"value": 1}}]}"#;
        let plan = compile(
            &RawValue::from_string(text.to_owned()).unwrap(),
            &Secrets::default(),
        )
        .unwrap();
        assert_eq!(&*plan.steps[0].name, "t");
    }

    #[test]
    fn what_no_longer_compiles_says_so() {
        let text = RawValue::from_string(r#"{"name": "a"}"#.to_owned()).unwrap();
        assert!(compile(&text, &Secrets::default()).is_err());
    }
}
