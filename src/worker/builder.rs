//! Puts a worker together: its settings and the functions it offers.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stepwell_queue::{Error, Store, descriptors};

use super::metrics::Metrics;
use super::outbound::Outbound;
use super::runtime::Runtime;
use super::seats::Seats;
use super::settings::WorkerSettings;
use super::steps::Steps;
use super::tasks::{Registry, TaskCall, TaskError};

/// A worker that cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("the worker's settings are not sound: {}", .0.join("; "))]
    Settings(Vec<String>),
    #[error("the task `{0}` is registered twice; names must be unique")]
    DuplicateTask(String),
    #[error("the HTTP client could not be made")]
    Outbound(#[source] reqwest::Error),
    #[error("the worker could not register")]
    Register(#[source] Error),
}

/// Puts a worker together.
#[derive(Debug)]
pub struct Builder {
    store: Store,
    settings: WorkerSettings,
    tasks: Registry,
    duplicate: Option<String>,
}

impl Builder {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            settings: WorkerSettings::default(),
            tasks: Registry::default(),
            duplicate: None,
        }
    }

    /// Replaces the default settings.
    #[must_use]
    pub fn settings(mut self, settings: WorkerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Registers a function for steps of type `task` with this name: JSON in, JSON out.
    #[must_use]
    pub fn task<F, Fut>(mut self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(TaskCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, TaskError>> + Send + 'static,
    {
        let name = name.into();
        if !self.tasks.add(name.clone(), function) {
            self.duplicate = Some(name);
        }
        self
    }

    /// Registers a function whose input and output are types of your own. An input that does not
    /// fit fails the step for good.
    #[must_use]
    pub fn typed_task<In, Out, F, Fut>(mut self, name: impl Into<String>, function: F) -> Self
    where
        In: DeserializeOwned + Send + 'static,
        Out: Serialize + 'static,
        F: Fn(In, TaskCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out, TaskError>> + Send + 'static,
    {
        let name = name.into();
        if !self.tasks.add_typed(name.clone(), function) {
            self.duplicate = Some(name);
        }
        self
    }

    /// Checks it all.
    ///
    /// # Errors
    /// [`RuntimeError::Settings`], [`RuntimeError::DuplicateTask`], [`RuntimeError::Outbound`].
    pub fn build(self) -> Result<Runtime, RuntimeError> {
        let faults = self.settings.faults();
        if !faults.is_empty() {
            return Err(RuntimeError::Settings(faults));
        }
        if let Some(name) = self.duplicate {
            return Err(RuntimeError::DuplicateTask(name));
        }
        let allow_private = self.settings.allow_private_networks;
        let outbound = Outbound::new(allow_private, descriptors::for_calls());
        let outbound = outbound.map_err(RuntimeError::Outbound)?;
        let metrics = Arc::new(Metrics::default());
        let steps = Steps {
            store: self.store.clone(),
            outbound,
            tasks: self.tasks,
            seats: Seats::default(),
            timeout: self.settings.step_timeout,
            public_url: self.settings.public_url.trim_end_matches('/').to_owned(),
            metrics: Arc::clone(&metrics),
        };
        Ok(Runtime {
            store: self.store,
            settings: self.settings,
            steps: Arc::new(steps),
            metrics,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::time::Duration;
    use stepwell_queue::store::StoreOptions;

    fn builder() -> Builder {
        let store = Store::open(StoreOptions {
            url: "postgres://nobody@127.0.0.1:9/nowhere".into(),
            pool_max: 1,
            acquire_timeout: Duration::from_secs(1),
            listen: false,
            retention: stepwell_queue::retention::Retention::default(),
            master_key: None,
        });
        Runtime::builder(store.unwrap())
    }

    #[tokio::test]
    async fn two_tasks_of_one_name_are_refused() {
        let twice = builder()
            .task("charge", |_| async { Ok(Value::Null) })
            .typed_task("charge", |n: i64, _| async move { Ok(n) });
        let error = twice.build().unwrap_err();
        assert!(error.to_string().contains("`charge`"), "{error}");
    }

    #[tokio::test]
    async fn settings_that_are_not_sound_are_refused() {
        let settings = WorkerSettings {
            slots: 0,
            ..WorkerSettings::default()
        };
        let error = builder().settings(settings).build().unwrap_err();
        assert!(matches!(error, RuntimeError::Settings(faults) if faults.len() == 1));
    }
}
