//! Where a run stands, from its two rows.
//!
//! | run row  | job row          | status                                            |
//! |----------|------------------|---------------------------------------------------|
//! | terminal | none             | the run row's                                     |
//! | pending  | leased           | running                                           |
//! | pending  | ready, fresh     | pending: no driver has had this generation        |
//! | pending  | ready, not fresh | running: between two drivers                      |
//! | pending  | timed or parked  | waiting, on what the job row says                 |
//! | pending  | any, paused      | paused                                            |
//!
//! A run that is to begin later (`run_at`) waits too: its kind is `run_at`.

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use stepwell_workflow::{RunStatus, Time};

/// Of the job row, what says where the run stands.
pub(super) struct Job {
    pub(super) state: String,
    pub(super) paused: bool,
    pub(super) fresh: bool,
    pub(super) run_at: Option<Time>,
    pub(super) blocked_on: Option<Box<RawValue>>,
}

/// Returns the status, and what a waiting or paused run is blocked on.
pub(super) fn standing(
    stored: RunStatus,
    created_at: Time,
    job: Option<Job>,
) -> (RunStatus, Option<Box<RawValue>>) {
    if stored.is_terminal() {
        return (stored, None);
    }
    let Some(job) = job else {
        return (RunStatus::Running, None);
    };
    let status = match job.state.as_str() {
        "leased" => return (RunStatus::Running, None),
        _ if job.paused => RunStatus::Paused,
        "ready" if job.fresh => return (RunStatus::Pending, None),
        "ready" => return (RunStatus::Running, None),
        _ => RunStatus::Waiting,
    };
    let kind = if job.paused { "paused" } else { "run_at" };
    let blocked_on = job.blocked_on.or_else(|| {
        to_raw_value(&json!({"kind": kind, "since": created_at, "until": job.run_at})).ok()
    });
    (status, blocked_on)
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
    use super::*;

    fn job(state: &str, fresh: bool, paused: bool) -> Option<Job> {
        Some(Job {
            state: state.to_owned(),
            paused,
            fresh,
            run_at: None,
            blocked_on: None,
        })
    }

    #[test]
    fn every_line_of_the_table_holds() {
        let check = |stored, job, expected| {
            let (status, blocked_on) = standing(stored, Time::UNIX_EPOCH, job);
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
            job("ready", true, false),
            RunStatus::Pending,
        );
        check(
            RunStatus::Pending,
            job("ready", false, false),
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
    fn words_are_read_back() {
        assert_eq!(run_status("timed_out"), Some(RunStatus::TimedOut));
        assert_eq!(run_status("skipped"), None);
    }
}
