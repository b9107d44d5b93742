//! What one driver wants written, as rows.

use stepwell_workflow::Time;
use uuid::Uuid;

use crate::NewRun;
use crate::audit::AuditRow;
use crate::detached::DetachedRows;

/// Payloads of a run that takes no slot while its end is committed: half as many such runs as there are slots
/// may wait in memory beside those.
const LIGHT_BYTES_MAX: usize = 8 << 10;

/// What one driver wants written.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) run_id: Uuid,
    /// (row, whether it exists)
    pub(super) steps: Vec<(StepRow, bool)>,
    pub(super) records: Vec<AuditRow>,
    pub(super) consumed: Vec<i64>,
    pub(super) children: Vec<NewRun>,
    pub(super) detached: DetachedRows,
    pub(super) messages: Vec<MessageRow>,
    /// Whether the run ends and gives a place back.
    pub(super) placed: bool,
    /// `None`: the job row stays as it is.
    pub(super) change: Option<JobChange>,
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct StepRow {
    pub(super) step: i16,
    pub(super) item: i32,
    pub(super) generation: i32,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) attempt: i16,
    pub(super) max_attempts: i16,
    pub(super) input: Option<String>,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) started_at: Option<Time>,
    pub(super) finished_at: Option<Time>,
    pub(super) wake_at: Option<Time>,
    pub(super) child_run_id: Option<Uuid>,
}

#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) run_id: Uuid,
    pub(super) kind: &'static str,
    pub(super) payload: String,
    pub(super) actor: String,
    pub(super) request_id: Option<String>,
}

/// What happens to a job row.
#[derive(Debug, Default)]
pub(super) struct JobChange {
    pub(super) turn: Turn,
    /// 0: not known.
    pub(super) sequence: i64,
    pub(super) started_at: Option<Time>,
    pub(super) generation: i32,
    pub(super) status: Option<&'static str>,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) finished_at: Option<Time>,
    pub(super) cancelled_by: Option<String>,
    pub(super) cancel_reason: Option<String>,
    pub(super) consumed: i32,
    pub(super) wake_at: Option<Time>,
    pub(super) blocked_on: Option<String>,
    /// `None`: as it was.
    pub(super) paused: Option<bool>,
    /// Added; [`CLEARED`]: the run has made progress, and is no suspect any more.
    pub(super) deaths: i16,
}

/// Sets the deaths of a run back.
pub(super) const CLEARED: i16 = -1;

/// Who the job is with afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// A message arrives for a run of which nothing else is known.
    #[default]
    Told,
    Kept,
    Released,
    GivenBack,
    Finished,
}

impl JobChange {
    /// Of a job whose driver is somebody else.
    pub(super) const TOLD: &'static Self = &Self {
        turn: Turn::Told,
        sequence: 0,
        started_at: None,
        generation: 0,
        status: None,
        output: None,
        error: None,
        finished_at: None,
        cancelled_by: None,
        cancel_reason: None,
        consumed: 0,
        wake_at: None,
        blocked_on: None,
        paused: None,
        deaths: 0,
    };
}

impl Turn {
    /// The word in the statement.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Kept => "kept",
            Self::Released => "released",
            Self::GivenBack => "given_back",
            Self::Finished => "finished",
        }
    }

    /// Whether the driver keeps the run.
    pub(super) const fn keeps(self) -> bool {
        matches!(self, Self::Told | Self::Kept)
    }
}

impl Rows {
    /// Returns about how many bytes of payload these rows hold.
    pub(super) fn weight(&self) -> usize {
        let size = |json: &Option<String>| json.as_ref().map_or(0, String::len);
        let steps: usize = self
            .steps
            .iter()
            .map(|(s, _)| size(&s.input) + size(&s.output) + size(&s.error))
            .sum();
        let records: usize = self.records.iter().map(|r| size(&r.detail)).sum();
        let messages: usize = self.messages.iter().map(|m| m.payload.len()).sum();
        let children: usize = self.children.iter().map(|c| c.input.get().len()).sum();
        let ended = self
            .change
            .as_ref()
            .map_or(0, |c| size(&c.output) + size(&c.error));
        steps + records + messages + children + ended + self.detached.weight()
    }

    /// Whether the driver lets go of its run.
    pub(super) fn ends(&self) -> bool {
        self.change.as_ref().is_some_and(|c| !c.turn.keeps())
    }

    /// Whether the run is no suspect any more once these are committed.
    pub(super) fn clears_deaths(&self) -> bool {
        self.change.as_ref().is_some_and(|c| c.deaths == CLEARED)
    }

    /// Whether the run takes no slot while these are committed: it ends with them, and they are small.
    pub(super) fn frees_slot(&self) -> bool {
        self.ends() && self.bytes <= LIGHT_BYTES_MAX
    }

    /// When the run wants a driver again, if it is let go until then.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.change.as_ref().and_then(|c| c.wake_at)
    }

    /// Returns the number of rows, all tables together.
    pub(super) fn count(&self) -> usize {
        1 + self.steps.len()
            + self.records.len()
            + self.messages.len()
            + self.children.len()
            + self.detached.count()
    }
}
