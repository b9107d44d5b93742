//! What a Postgres snapshot sees. Rows become visible in the order of commits, not of ids or times, so
//! "all that has been delivered" is a snapshot and not a number: new is what a later one sees too.
//!
//! Beside each transaction that was still running stands a time before which it cannot have written
//! an audit record: when it ends, its records are looked for from there on. As long as it runs it
//! costs nothing, and it delays nobody's records but its own.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use stepwell_workflow::Time;

/// Transactions running at once that a snapshot given in from outside may name: more than a server has
/// connections.
const RUNNING_MAX: usize = 10_000;
/// How far a record's time may lie before the moment that it was certainly written after: the
/// database's clock may be set back a little.
const CLOCK_STEP_MAX: TimeDelta = TimeDelta::seconds(1);

/// The transactions that were over at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Taken no earlier, by the database's clock.
    pub(super) at: Time,
    /// Transactions from this one on had not begun.
    next: u64,
    /// Those that were under way, in order, with a time before which each has written nothing.
    running: Vec<(u64, Time)>,
}

impl Snapshot {
    /// Sees nothing, and says that what is older is of no concern.
    pub(super) const fn of_nothing(at: Time) -> Self {
        Self {
            at,
            next: 1,
            running: Vec::new(),
        }
    }

    /// Forgets which transactions were over: what may have been unseen is of concern again.
    pub(super) fn nothing(&self) -> Self {
        let born = self.running.iter().map(|(_, born)| *born);
        Self::of_nothing(born.fold(self.at, Time::min))
    }

    pub(super) const fn sees_nothing(&self) -> bool {
        self.next <= 1
    }

    /// Takes over what Postgres says: `xmin:xmax:xip,…`. `born`: since when an unknown transaction may
    /// have been at work.
    pub(super) fn read(text: &str, at: Time, born: impl Fn(u64) -> Time) -> Option<Self> {
        let mut parts = text.split(':');
        let (_, next, running) = (parts.next()?, parts.next()?, parts.next()?);
        let running = running
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| id.parse().ok().map(|id| (id, born(id))))
            .collect::<Option<Vec<_>>>()?;
        let next = next.parse().ok()?;
        Some(Self { at, next, running })
    }

    /// As Postgres reads it.
    pub(super) fn to_postgres(&self) -> String {
        let ids: Vec<_> = self.running.iter().map(|(id, _)| id.to_string()).collect();
        let oldest = self.running.first().map_or(self.next, |(id, _)| *id);
        format!("{oldest}:{}:{}", self.next, ids.join(","))
    }

    /// Whether it sees what this transaction wrote, if that was not taken back.
    pub(super) fn sees(&self, transaction: u64) -> bool {
        transaction < self.next && self.running(transaction).is_none()
    }

    /// Returns since when a transaction that is still running may have written.
    pub(super) fn running(&self, transaction: u64) -> Option<Time> {
        let found = self
            .running
            .binary_search_by_key(&transaction, |(id, _)| *id);
        found.ok().and_then(|n| self.running.get(n)).map(|r| r.1)
    }

    /// Whether the two see the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.next == other.next
            && self.running.len() == other.running.len()
            && self
                .running
                .iter()
                .zip(&other.running)
                .all(|(a, b)| a.0 == b.0)
    }

    /// Whether this one is from before `later`, as far as can be told: a cursor of another database
    /// most often is not.
    pub(super) fn precedes(&self, later: &Self) -> bool {
        self.next <= later.next
    }

    /// Returns a time before which there is no record that `later` sees and this one does not.
    pub(super) fn unseen_since(&self, later: &Self) -> Time {
        let ended = self
            .running
            .iter()
            .filter(|(id, _)| later.sees(*id))
            .map(|(_, born)| *born);
        ended.fold(self.at.min(later.at), Time::min) - CLOCK_STEP_MAX
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.at.timestamp_micros(), self.next)?;
        for (n, (id, born)) in self.running.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{id}@{}", born.timestamp_micros())?;
        }
        Ok(())
    }
}

/// The text is not that of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoSnapshot;

impl FromStr for Snapshot {
    type Err = NoSnapshot;

    fn from_str(text: &str) -> Result<Self, NoSnapshot> {
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or(NoSnapshot);
        let (at, next, list) = (time(part()?)?, number(part()?)?, part()?);
        if parts.next().is_some() {
            return Err(NoSnapshot);
        }
        let mut running: Vec<(u64, Time)> = Vec::new();
        for entry in list.split(',').filter(|entry| !entry.is_empty()) {
            let (id, born) = entry.split_once('@').ok_or(NoSnapshot)?;
            let (id, born) = (number(id)?, time(born)?);
            let ascends = running.last().is_none_or(|(before, _)| *before < id);
            if !ascends || id >= next || running.len() >= RUNNING_MAX {
                return Err(NoSnapshot);
            }
            running.push((id, born));
        }
        Ok(Self { at, next, running })
    }
}

/// Transactions are numbered from 3 on, and Postgres refuses a snapshot that names none.
fn number(text: &str) -> Result<u64, NoSnapshot> {
    let number = text.parse().map_err(|_| NoSnapshot)?;
    let known = (1..=i64::MAX.unsigned_abs()).contains(&number);
    known.then_some(number).ok_or(NoSnapshot)
}

/// Microseconds since 1970, up to the year 5138: more than Postgres, and this program, can take.
pub(super) fn time(text: &str) -> Result<Time, NoSnapshot> {
    let us: i64 = text.parse().map_err(|_| NoSnapshot)?;
    if !(0..100_000_000_000_000_000).contains(&us) {
        return Err(NoSnapshot);
    }
    Time::from_timestamp_micros(us).ok_or(NoSnapshot)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn at(second: i64) -> Time {
        Time::from_timestamp(second, 0).unwrap()
    }

    fn taken(text: &str, second: i64, before: Option<&Snapshot>) -> Snapshot {
        Snapshot::read(text, at(second), |id| {
            before.map_or(at(0), |b| b.running(id).unwrap_or(b.at))
        })
        .unwrap()
    }

    #[test]
    fn what_forgets_all_looks_from_the_oldest_on() {
        let first = taken("7:9:7", 100, None);
        let nothing = taken("7:20:7,15", 200, Some(&first)).nothing();
        assert!(nothing.sees_nothing() && !nothing.sees(3));
        assert_eq!(nothing.at, at(0));
    }

    #[test]
    fn it_sees_what_was_over() {
        let snapshot = taken("10:20:10,15", 100, None);
        for (id, seen) in [(9, true), (10, false), (12, true), (15, false), (20, false)] {
            assert_eq!(snapshot.sees(id), seen, "{id}");
        }
        assert_eq!(snapshot.to_postgres(), "10:20:10,15");
        assert_eq!(taken("20:20:", 1, None).to_postgres(), "20:20:");
    }

    #[test]
    fn a_long_transaction_costs_nothing_until_it_ends() {
        let first = taken("20:20:", 100, None);
        let during = taken("30:40:30", 200, Some(&first));
        let later = taken("30:50:30", 300, Some(&during));
        let over = taken("60:60:", 400, Some(&later));
        assert_eq!(during.unseen_since(&later), at(200) - CLOCK_STEP_MAX);
        // Begun after the first snapshot: from then on its records are looked for.
        assert_eq!(later.unseen_since(&over), at(100) - CLOCK_STEP_MAX);
    }

    #[test]
    fn its_text_brings_it_back() {
        let first = taken("7:9:7", 100, None);
        let snapshot = taken("7:20:7,15", 200, Some(&first));
        assert_eq!(snapshot.to_string().parse(), Ok(snapshot.clone()));
        assert!(first.precedes(&snapshot) && !snapshot.precedes(&first));
        for wrong in [
            "",
            "1",
            "1:2",
            "a:2:",
            "1:2:3@1",
            "1:9:5@1,4@1",
            "1:9:5@x",
            "1:9:0@1",
            "-1:9:",
            "1:9::",
            "9223372036854775807:9:",
            "1:99999999999999999999:",
        ] {
            assert_eq!(wrong.parse::<Snapshot>(), Err(NoSnapshot), "{wrong}");
        }
    }
}
