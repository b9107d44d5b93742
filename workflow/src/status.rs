//! The words for where a run or a step stands; the same in code, SQL and the API.

use serde::{Deserialize, Serialize};

/// Where a run stands. `Completed`, `Failed`, `Cancelled` and `TimedOut` are terminal: within a
/// generation they never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Pending,
    Running,
    Waiting,
    Paused,
    Completed,
    Failed,
    Cancelled,
    TimedOut,
}

/// Where a step (or an item of a map) stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Pending,
    Running,
    Waiting,
    Paused,
    Completed,
    Failed,
    Cancelled,
    TimedOut,
    Skipped,
}

impl RunStatus {
    /// Says whether a run may go from here to `next` within one generation.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Pending | Self::Running | Self::Waiting | Self::Paused, next) => match next {
                Self::Pending => matches!(self, Self::Pending | Self::Paused),
                _ => true,
            },
            _ => false,
        }
    }

    /// Says whether the run is over.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::TimedOut
        )
    }

    /// Returns the word used in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }
}

impl StepStatus {
    /// Says whether a step may go from here to `next` within one generation.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            // Not begun: it begins, is decided at once, or its run ends first.
            (Self::Pending, Self::Running | Self::Waiting) => true,
            (Self::Pending, Self::Completed | Self::Failed | Self::Skipped) => true,
            // An attempt ended, will be made again, or was given back.
            (Self::Running, Self::Completed | Self::Failed | Self::TimedOut) => true,
            (Self::Running, Self::Waiting | Self::Pending | Self::Cancelled) => true,
            // A backoff is over, a child is started anew, or what was awaited came or did not.
            (Self::Waiting, Self::Running | Self::Waiting | Self::Cancelled) => true,
            (Self::Waiting, Self::Completed | Self::Failed | Self::TimedOut) => true,
            _ => false,
        }
    }

    /// Says whether the step is over.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Skipped
        )
    }

    /// Returns the word used in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Skipped => "skipped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RunStatus, StepStatus};

    const RUNS: [RunStatus; 8] = [
        RunStatus::Pending,
        RunStatus::Running,
        RunStatus::Waiting,
        RunStatus::Paused,
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
        RunStatus::TimedOut,
    ];

    const STEPS: [StepStatus; 9] = [
        StepStatus::Pending,
        StepStatus::Running,
        StepStatus::Waiting,
        StepStatus::Paused,
        StepStatus::Completed,
        StepStatus::Failed,
        StepStatus::Cancelled,
        StepStatus::TimedOut,
        StepStatus::Skipped,
    ];

    #[test]
    fn what_is_over_stays_so_and_what_is_not_can_end() {
        for run in RUNS {
            let ends = RUNS.iter().filter(|next| run.may_become(**next)).count();
            assert_eq!(ends == 0, run.is_terminal(), "{run:?}");
        }
        for step in STEPS {
            let ends = STEPS.iter().filter(|next| step.may_become(**next)).count();
            let none = step.is_terminal() || step == StepStatus::Paused;
            assert_eq!(ends == 0, none, "{step:?}");
        }
    }

    #[test]
    fn the_words_are_those_of_json() {
        for run in RUNS {
            let word = serde_json::to_value(run).unwrap_or_default();
            assert_eq!(word.as_str(), Some(run.as_str()));
        }
        for step in STEPS {
            let word = serde_json::to_value(step).unwrap_or_default();
            assert_eq!(word.as_str(), Some(step.as_str()));
        }
    }
}
