//! `[worker]`: what a worker offers, and how soon its death is noticed.

use std::time::Duration;

use serde::Deserialize;
use stepwell::queue::new_run::DEFAULT_QUEUE;
use stepwell::worker::settings::{
    DEAD_AFTER_DEFAULT, HEARTBEAT_DEFAULT, POLL_DEFAULT, PUBLIC_URL_DEFAULT, SLOTS_DEFAULT,
    STEP_TIMEOUT_DEFAULT, WorkerSettings,
};

use super::Mistake;

/// Runs that one process can hold in memory with inputs of ordinary size.
const CONCURRENCY_MAX: usize = 100_000;
/// Heartbeats that may be missed: fewer, and a busy machine looks dead.
const BEATS_BEFORE_DEATH_MIN: u64 = 3;

/// Flags, variables and keys.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[group(skip)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// The worker's name, for people [default: the host name and process id].
    #[arg(long, env = "STEPWELL_WORKER_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// A queue to take runs from; may be repeated [default: default].
    #[arg(
        long = "queue",
        env = "STEPWELL_WORKER_QUEUES",
        value_name = "QUEUE",
        value_delimiter = ','
    )]
    pub(crate) queues: Option<Vec<String>>,
    /// Runs held at once, 1–100000 [default: 1000].
    #[arg(long, env = "STEPWELL_WORKER_CONCURRENCY", value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// Milliseconds between two signs of life [default: 5000].
    #[arg(long, env = "STEPWELL_WORKER_HEARTBEAT_MS", value_name = "MS")]
    pub(crate) heartbeat_ms: Option<u64>,
    /// Milliseconds of silence after which a worker is held to be dead [default: 20000]. The same
    /// for all workers of one database.
    #[arg(long, env = "STEPWELL_WORKER_DEAD_AFTER_MS", value_name = "MS")]
    pub(crate) dead_after_ms: Option<u64>,
    /// Milliseconds after which an idle worker asks for work unprompted [default: 1000].
    #[arg(long, env = "STEPWELL_WORKER_POLL_MS", value_name = "MS")]
    pub(crate) poll_ms: Option<u64>,
    /// Whether steps may call private and loopback addresses [default: false; true in `up`].
    #[arg(long, env = "STEPWELL_WORKER_ALLOW_PRIVATE", value_name = "BOOL")]
    pub(crate) allow_private: Option<bool>,
    /// Where agents reach the API when they call back [default: http://127.0.0.1:8080; in `up` where
    /// it listens].
    #[arg(long, env = "STEPWELL_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
}

impl Layer {
    pub(crate) fn over(self, lower: Self) -> Self {
        Self {
            name: self.name.or(lower.name),
            queues: self.queues.or(lower.queues),
            concurrency: self.concurrency.or(lower.concurrency),
            heartbeat_ms: self.heartbeat_ms.or(lower.heartbeat_ms),
            dead_after_ms: self.dead_after_ms.or(lower.dead_after_ms),
            poll_ms: self.poll_ms.or(lower.poll_ms),
            allow_private: self.allow_private.or(lower.allow_private),
            public_url: self.public_url.or(lower.public_url),
        }
    }

    /// Checks the values and fills in the defaults.
    ///
    /// # Errors
    /// A value out of its range, or two that contradict each other.
    pub(crate) fn resolve(
        self,
        allow_private_default: bool,
        grace: Duration,
    ) -> Result<WorkerSettings, Mistake> {
        let slots = self.concurrency.unwrap_or(SLOTS_DEFAULT);
        if !(1..=CONCURRENCY_MAX).contains(&slots) {
            return Err(Mistake::new(format!(
                "worker.concurrency is {slots}: it must be 1–{CONCURRENCY_MAX}"
            )));
        }
        let heartbeat_ms = at_least("heartbeat_ms", self.heartbeat_ms, HEARTBEAT_DEFAULT, 100)?;
        let dead_after_ms = at_least("dead_after_ms", self.dead_after_ms, DEAD_AFTER_DEFAULT, 300)?;
        let poll_ms = at_least("poll_ms", self.poll_ms, POLL_DEFAULT, 10)?;
        if dead_after_ms < heartbeat_ms.saturating_mul(BEATS_BEFORE_DEATH_MIN) {
            return Err(Mistake::new(format!(
                "worker.dead_after_ms is {dead_after_ms}: it must be at least \
                 {BEATS_BEFORE_DEATH_MIN} × worker.heartbeat_ms ({heartbeat_ms}), or a busy worker \
                 is taken for a dead one"
            )));
        }
        let queues = self
            .queues
            .unwrap_or_else(|| vec![DEFAULT_QUEUE.to_owned()]);
        if queues.is_empty() || queues.iter().any(|queue| queue.trim().is_empty()) {
            return Err(Mistake::new(
                "worker.queues must name at least one queue, and none of them empty",
            ));
        }
        Ok(WorkerSettings {
            name: self.name.unwrap_or_else(default_name),
            queues,
            slots,
            heartbeat: Duration::from_millis(heartbeat_ms),
            dead_after: Duration::from_millis(dead_after_ms),
            poll: Duration::from_millis(poll_ms),
            grace,
            step_timeout: STEP_TIMEOUT_DEFAULT,
            allow_private_networks: self.allow_private.unwrap_or(allow_private_default),
            public_url: self
                .public_url
                .unwrap_or_else(|| PUBLIC_URL_DEFAULT.to_owned()),
        })
    }
}

fn at_least(key: &str, value: Option<u64>, default: Duration, min: u64) -> Result<u64, Mistake> {
    let default = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
    let value = value.unwrap_or(default);
    if value < min {
        return Err(Mistake::new(format!(
            "worker.{key} is {value}: it must be at least {min}"
        )));
    }
    Ok(value)
}

fn default_name() -> String {
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "worker".to_owned());
    format!("{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::{Duration, Layer};

    #[test]
    fn a_worker_may_miss_two_beats() {
        let layer = Layer {
            heartbeat_ms: Some(1_000),
            dead_after_ms: Some(2_000),
            ..Layer::default()
        };
        let text = layer
            .clone()
            .resolve(false, Duration::ZERO)
            .err()
            .map(|mistake| mistake.0)
            .unwrap_or_default();
        assert!(text.contains("dead_after_ms"), "{text}");
        assert!(
            Layer {
                dead_after_ms: Some(3_000),
                ..layer
            }
            .resolve(false, Duration::ZERO)
            .is_ok()
        );
    }

    #[test]
    fn limits_are_told() {
        assert!(
            Layer {
                concurrency: Some(0),
                ..Layer::default()
            }
            .resolve(false, Duration::ZERO)
            .is_err()
        );
        assert!(
            Layer {
                queues: Some(vec![String::new()]),
                ..Layer::default()
            }
            .resolve(false, Duration::ZERO)
            .is_err()
        );
        assert!(Layer::default().resolve(false, Duration::ZERO).is_ok());
    }
}
