//! Where a run stands, from its two rows.
//!
//! | run row  | job row          | status                                            |
//! |----------|------------------|---------------------------------------------------|
//! | terminal | none             | the run row's                                     |
//! | pending  | leased           | running                                           |
//! | pending  | ready, not begun | pending: this generation has not begun            |
//! | pending  | ready, begun     | running: between two drivers                      |
//! | pending  | timed or parked  | waiting, on what the job row says                 |
//! | pending  | any, paused      | paused                                            |
//!
//! A run that is to begin later (`run_at`) waits too: its kind is `run_at`.

use serde::Deserialize;
use serde_json::value::RawValue;
use stepwell_workflow::{RunStatus, Time};

/// Of the job row, what says where the run stands.
pub(super) struct Job {
    pub(super) state: String,
    pub(super) paused: bool,
    /// Whether a driver has committed anything in this generation.
    pub(super) begun: bool,
    pub(super) run_at: Option<Time>,
    pub(super) blocked_on: Option<Box<RawValue>>,
}

/// What a run that is waiting or paused waits for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Blocked {
    /// `delay`, `retry`, `signal`, `approval`, `child`, `queue`, `external`, `callback`, `agent`,
    /// `concurrency`, `paused`, `run_at`.
    pub kind: String,
    pub since: Time,
    /// `None`: until somebody acts.
    pub until: Option<Time>,
    /// The step, the signal, the child's id, the topic, the queue or the concurrency key.
    #[serde(default)]
    pub detail: Option<String>,
}

/// Returns the status, and what a waiting or paused run is blocked on.
///
/// # Errors
/// When the job row's own word for that cannot be read.
pub(super) fn standing(
    stored: RunStatus,
    created_at: Time,
    job: Option<Job>,
) -> Result<(RunStatus, Option<Blocked>), serde_json::Error> {
    if stored.is_terminal() {
        return Ok((stored, None));
    }
    let Some(job) = job else {
        return Ok((RunStatus::Running, None));
    };
    let status = match job.state.as_str() {
        "leased" => return Ok((RunStatus::Running, None)),
        _ if job.paused => RunStatus::Paused,
        "ready" if !job.begun => return Ok((RunStatus::Pending, None)),
        "ready" => return Ok((RunStatus::Running, None)),
        _ => RunStatus::Waiting,
    };
    let blocked_on = match &job.blocked_on {
        Some(stored) => serde_json::from_str(stored.get())?,
        None => Blocked {
            kind: if job.paused { "paused" } else { "run_at" }.to_owned(),
            since: created_at,
            until: job.run_at,
            detail: None,
        },
    };
    Ok((status, Some(blocked_on)))
}

/// Reads the word of a status column.
pub(super) fn run_status(word: &str) -> Option<RunStatus> {
    use RunStatus as S;
    [
        S::Pending,
        S::Running,
        S::Waiting,
        S::Paused,
        S::Completed,
        S::Failed,
        S::Cancelled,
        S::TimedOut,
    ]
    .into_iter()
    .find(|status| status.as_str() == word)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn job(state: &str, begun: bool, paused: bool) -> Option<Job> {
        Some(Job {
            state: state.to_owned(),
            paused,
            begun,
            run_at: None,
            blocked_on: None,
        })
    }

    #[test]
    fn every_line_of_the_table_holds() {
        let check = |stored, job, expected| {
            let (status, blocked_on) = standing(stored, Time::UNIX_EPOCH, job).unwrap();
            assert_eq!(status, expected);
            let blocked = matches!(expected, RunStatus::Waiting | RunStatus::Paused);
            assert_eq!(blocked_on.is_some(), blocked, "{expected:?}");
        };
        check(RunStatus::Failed, None, RunStatus::Failed);
        check(
            RunStatus::Pending,
            job("leased", false, false),
            RunStatus::Running,
        );
        check(
            RunStatus::Pending,
            job("ready", false, false),
            RunStatus::Pending,
        );
        check(
            RunStatus::Pending,
            job("ready", true, false),
            RunStatus::Running,
        );
        check(
            RunStatus::Pending,
            job("timed", false, false),
            RunStatus::Waiting,
        );
        check(
            RunStatus::Pending,
            job("parked", false, false),
            RunStatus::Waiting,
        );
        check(
            RunStatus::Pending,
            job("parked", false, true),
            RunStatus::Paused,
        );
    }

    #[test]
    fn what_the_job_row_says_is_read() {
        let text = r#"{"kind":"delay","since":"2026-03-01T12:00:00.123456789Z","until":null}"#;
        let with = |text: &str| Job {
            blocked_on: Some(RawValue::from_string(text.to_owned()).unwrap()),
            ..job("parked", false, false).unwrap()
        };
        let read = |text| standing(RunStatus::Pending, Time::UNIX_EPOCH, Some(with(text)));
        let blocked = read(text).unwrap().1.unwrap();
        assert_eq!((blocked.kind.as_str(), blocked.until), ("delay", None));
        assert!(read("{}").is_err());
    }

    #[test]
    fn words_are_read_back() {
        assert_eq!(run_status("timed_out"), Some(RunStatus::TimedOut));
        assert_eq!(run_status("skipped"), None);
    }
}
