//! `[process]`: what the process is called, and how long it may take to end.

use std::time::Duration;

use serde::Deserialize;

/// What Kubernetes gives a pod by default.
const GRACE_SECONDS_DEFAULT: u64 = 30;
const ENVIRONMENT_DEFAULT: &str = "development";

/// Flags, variables and keys.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// Seconds that steps may take to end after SIGTERM [default: 30]; then they are given back.
    #[arg(long, env = "STEPWELL_GRACE_SECONDS", value_name = "SECONDS")]
    pub(crate) grace_seconds: Option<u64>,
    /// The name of this installation, shown by `GET /version` [default: development].
    #[arg(long, env = "STEPWELL_ENVIRONMENT", value_name = "NAME")]
    pub(crate) environment: Option<String>,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            grace_seconds: self.grace_seconds.or(lower.grace_seconds),
            environment: self.environment.or(lower.environment),
        }
    }

    pub(crate) fn resolve(self) -> Process {
        Process {
            grace: Duration::from_secs(self.grace_seconds.unwrap_or(GRACE_SECONDS_DEFAULT)),
            environment: self
                .environment
                .unwrap_or_else(|| ENVIRONMENT_DEFAULT.to_owned()),
        }
    }
}

/// The settings in force.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) grace: Duration,
    pub(crate) environment: String,
}
