//! How a worker behaves. Every setting has a default that suits a small deployment.

use std::time::Duration;

use stepwell_queue::worker::SLOTS_MAX;

/// Runs held at once when nothing else is said. A run that only waits holds no slot, so this
/// bounds memory, not the number of runs; many runs at once are what fills a group commit.
pub const SLOTS_DEFAULT: usize = 1_000;
/// How often a worker shows that it lives.
pub const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(5);
/// Silence after which others hold a worker for dead: four missed heartbeats.
pub const DEAD_AFTER_DEFAULT: Duration = Duration::from_secs(20);
/// How long an idle worker goes without asking for work, should no hint reach it.
pub const POLL_DEFAULT: Duration = Duration::from_secs(1);
/// How long a stopping worker lets the attempts in flight go on. Kubernetes kills after 30 s by
/// default, counted from the same signal.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(30);
/// The longest one attempt may take when neither its step nor its agent says so.
pub const STEP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Where the API listens when nothing else is said.
pub const PUBLIC_URL_DEFAULT: &str = "http://127.0.0.1:8080";

/// How a worker behaves.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// For people: shown in lists of workers.
    pub name: String,
    /// The queues it takes runs from, in order of preference.
    pub queues: Vec<String>,
    /// Runs held at once, 1 or more. Too few: commits are shared by few runs and throughput
    /// falls. Too many: one worker takes what others could have begun.
    pub slots: usize,
    /// Too long: a dead worker's runs wait longer. Too short: needless writes.
    pub heartbeat: Duration,
    /// At least three heartbeats; shorter than that, a slow database fences healthy workers.
    pub dead_after: Duration,
    /// The interval of an idle worker's questions, jittered.
    pub poll: Duration,
    /// From the signal to stop until attempts in flight are given back.
    pub grace: Duration,
    /// Of one attempt, when neither its step nor its agent says otherwise.
    pub step_timeout: Duration,
    /// Whether steps may call loopback, private, link-local and other addresses that are not
    /// public. Off by default: definitions are data, and must not reach what only the worker can.
    pub allow_private_networks: bool,
    /// Where agents reach the API when they call back, such as `https://stepwell.example.com`.
    pub public_url: String,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            queues: vec![stepwell_queue::new_run::DEFAULT_QUEUE.to_owned()],
            slots: SLOTS_DEFAULT,
            heartbeat: HEARTBEAT_DEFAULT,
            dead_after: DEAD_AFTER_DEFAULT,
            poll: POLL_DEFAULT,
            grace: GRACE_DEFAULT,
            step_timeout: STEP_TIMEOUT_DEFAULT,
            allow_private_networks: false,
            public_url: PUBLIC_URL_DEFAULT.to_owned(),
        }
    }
}

impl WorkerSettings {
    /// Says what is wrong with the settings, all of it at once; empty means that they are sound.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.queues.is_empty() {
            faults.push("`queues` is empty: name at least one queue, such as `default`".to_owned());
        }
        if self.slots == 0 {
            faults.push("`slots` is 0: a worker needs at least 1".to_owned());
        }
        if self.slots > SLOTS_MAX {
            faults.push(format!(
                "`slots` is {}: a worker holds at most {SLOTS_MAX} runs at once",
                self.slots
            ));
        }
        if self.heartbeat.is_zero() || self.poll.is_zero() || self.step_timeout.is_zero() {
            faults.push(
                "`heartbeat`, `poll` and `step_timeout` must be longer than nothing".to_owned(),
            );
        }
        if self.dead_after < self.heartbeat * 3 {
            faults.push(format!(
                "`dead_after` ({:?}) must be at least three times `heartbeat` ({:?})",
                self.dead_after, self.heartbeat
            ));
        }
        if !matches!(url::Url::parse(&self.public_url), Ok(url) if url.has_host()) {
            faults.push(format!(
                "`public_url` is {:?}: it must be a URL such as {PUBLIC_URL_DEFAULT}",
                self.public_url
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert!(WorkerSettings::default().faults().is_empty());
    }

    #[test]
    fn every_fault_is_named() {
        let settings = WorkerSettings {
            queues: Vec::new(),
            slots: 0,
            dead_after: Duration::from_secs(6),
            ..WorkerSettings::default()
        };
        assert_eq!(settings.faults().len(), 3);
        let settings = WorkerSettings {
            slots: SLOTS_MAX + 1,
            ..WorkerSettings::default()
        };
        assert_eq!(settings.faults().len(), 1);
    }
}
