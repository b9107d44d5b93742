//! The calls that arrived. A call that is dropped before its answer was hung up on by its caller.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

/// Calls that are remembered; those that come later are answered and forgotten.
const CALLS_MAX: usize = 100_000;

/// One call, as `GET /calls` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) run_id: Option<String>,
    pub(crate) step: Option<String>,
    pub(crate) attempt: Option<u64>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) at: DateTime<Utc>,
    /// What it was sent.
    pub(crate) body: Value,
    /// Whether it was answered.
    pub(crate) finished: bool,
    /// Whether the caller went away before the answer.
    pub(crate) aborted: bool,
    /// When it was answered or hung up on.
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

/// All calls so far, in order of arrival.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    /// Notes a call; its end is noted by what this returns.
    pub(crate) fn arrived(&self, call: Call) -> InFlight {
        let mut calls = self.lock();
        let place = (calls.len() < CALLS_MAX).then(|| {
            calls.push(call);
            calls.len() - 1
        });
        InFlight {
            calls: self.clone(),
            place,
            answered: false,
        }
    }

    /// How many calls to a path one run has made.
    pub(crate) fn of_run(&self, path: &str, run_id: Option<&str>) -> usize {
        let is_one = |call: &&Call| call.path == path && call.run_id.as_deref() == run_id;
        self.lock().iter().filter(is_one).count()
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        self.lock().clone()
    }

    /// No code panics while it holds the lock, so what is behind it is sound.
    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is not answered yet.
#[derive(Debug)]
pub(crate) struct InFlight {
    calls: Calls,
    place: Option<usize>,
    answered: bool,
}

/// What the clock of this host says: the agents have no other.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing of Stepwell is timed by it"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

impl InFlight {
    pub(crate) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut calls = self.calls.lock();
        if let Some(call) = self.place.and_then(|place| calls.get_mut(place)) {
            call.finished = self.answered;
            call.aborted = !self.answered;
            call.ended_at = Some(now());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Call, Calls, now};

    fn call(path: &str, run: &str) -> Call {
        Call {
            method: "POST".to_owned(),
            path: path.to_owned(),
            run_id: Some(run.to_owned()),
            step: None,
            attempt: None,
            idempotency_key: None,
            at: now(),
            body: Value::Null,
            finished: false,
            aborted: false,
            ended_at: None,
        }
    }

    #[test]
    fn a_call_that_is_dropped_was_hung_up_on() {
        let calls = Calls::default();
        calls.arrived(call("/a", "1")).answered();
        drop(calls.arrived(call("/a", "2")));
        let _open = calls.arrived(call("/a", "2"));
        let ends: Vec<_> = calls
            .all()
            .iter()
            .map(|call| (call.finished, call.aborted))
            .collect();
        assert_eq!(ends, [(true, false), (false, true), (false, false)]);
        assert_eq!(calls.of_run("/a", Some("2")), 2);
        assert_eq!(calls.of_run("/b", Some("2")), 0);
    }
}
