//! The logs of steps: lines that task functions, agents and external workers say about their attempts.
//!
//! They are written apart from commits, in batches ([`writer`]), and are bounded: the last line that a
//! step or a run may have says that what follows is not kept.

mod insert;
mod read;
mod writer;

use stepwell_workflow::Time;
use uuid::Uuid;

pub use read::{LineFilter, LinePage, LogLine};
pub(crate) use writer::Writer;

/// Lines of one step, or of one item of a map: more than a person reads.
pub const LINES_PER_STEP_MAX: i64 = 1_000;
/// Lines of one run, so that a large map does not fill the disk.
pub const LINES_PER_RUN_MAX: i64 = 10_000;
/// Characters of one line; a longer one is cut and says so.
pub const LINE_CHARS_MAX: usize = 4_096;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// From the least to the most.
    pub const ALL: [Self; 5] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
    ];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    const fn number(self) -> i16 {
        match self {
            Self::Trace => 0,
            Self::Debug => 1,
            Self::Info => 2,
            Self::Warn => 3,
            Self::Error => 4,
        }
    }

    fn of_number(number: i16) -> Self {
        let level = Self::ALL.into_iter().find(|level| level.number() == number);
        level.unwrap_or(Self::Info)
    }
}

/// A line to be kept.
#[derive(Clone, Debug)]
pub struct Line {
    pub run_id: Uuid,
    /// The step's name: `score` or `score[17]`.
    pub step: String,
    pub attempt: u32,
    pub level: Level,
    pub at: Time,
    pub message: String,
}
