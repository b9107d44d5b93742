//! What Linux says about a process.

use std::fs;

/// What a process used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// Of processor time.
    pub(crate) seconds: f64,
    /// The most memory that it ever held.
    pub(crate) peak_mib: f64,
}

impl Spent {
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            seconds: seconds(pid),
            peak_mib: peak_mib(pid),
        }
    }

    /// What it used since an earlier look.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            seconds: self.seconds - earlier.seconds,
            ..self
        }
    }

    /// Several processes of one kind: the time of all, the memory of the largest.
    pub(crate) fn together(all: &[Self]) -> Self {
        Self {
            seconds: all.iter().map(|spent| spent.seconds).sum(),
            peak_mib: all.iter().map(|spent| spent.peak_mib).fold(0.0, f64::max),
        }
    }
}

/// Processor seconds of the server: its first process, children that ended, children that live.
pub(crate) fn server_seconds(postmaster: u32) -> f64 {
    let own = fields(postmaster).map_or(0.0, |fields| ticks(&fields, 11..15));
    let path = format!("/proc/{postmaster}/task/{postmaster}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let living = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    own + living.map(seconds).sum::<f64>()
}

fn seconds(pid: u32) -> f64 {
    fields(pid).map_or(0.0, |fields| ticks(&fields, 11..13))
}

fn peak_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    kib / 1024.0
}

/// The fields of `/proc/<pid>/stat` after the name, which may hold anything.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(ToOwned::to_owned).collect())
}

fn ticks(fields: &[String], range: std::ops::Range<usize>) -> f64 {
    let sum: f64 = fields[range]
        .iter()
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    sum / TICKS_PER_SECOND
}

/// What Linux tells userland, on every architecture that we run on.
const TICKS_PER_SECOND: f64 = 100.0;
