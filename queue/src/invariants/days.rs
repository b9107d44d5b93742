//! History in pieces: as many quiet days as fit into one statement, and parts of a busy one.

use chrono::{DateTime, Days as ChronoDays, NaiveDate, NaiveTime, TimeDelta, Utc};
use stepwell_workflow::Time;
use uuid::Uuid;

use super::Reach;
use super::checks::Over;
use crate::run::bounds::{created_at, smallest_id};
use crate::{Error, Store};

/// A statement goes through so much, which takes a second or less: ninety quiet days are not ninety statements,
/// and no snapshot is held for long.
const BYTES_AT_ONCE: i64 = 32 << 20;
/// The shortest part of a day is a minute, so there are no more than these.
const PARTS_MAX: i64 = 24 * 60;
/// How much older than its run a record's id may be: another clock made it.
const ID_AGE_MAX: TimeDelta = TimeDelta::days(1);
/// The shortest piece: what still takes too long is left.
const SHORTEST: TimeDelta = TimeDelta::minutes(1);

/// A span of ids that begins and ends with these times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    begin: Time,
    end: Time,
    pub(super) from: Uuid,
    /// Not of it any more.
    pub(super) to: Uuid,
    /// No record of an entity of this span has a smaller id.
    pub(super) floor: Uuid,
}

impl Piece {
    pub(super) fn new(begin: Time, end: Time) -> Self {
        Self {
            begin,
            end,
            from: smallest_id(begin),
            to: smallest_id(end),
            floor: smallest_id(begin - ID_AGE_MAX),
        }
    }

    /// Cuts it by time into as many parts as its size asks for, the newest first.
    fn parts(self, bytes: i64) -> Vec<Self> {
        let count = i32::try_from((bytes / BYTES_AT_ONCE + 1).min(PARTS_MAX)).unwrap_or(1);
        let length = self.end - self.begin;
        let cut = |n: i32| self.begin + length * n / count;
        (0..count)
            .rev()
            .map(|n| Self::new(cut(n), cut(n + 1)))
            .collect()
    }

    /// Cuts it into two; `None`: it is as short as one may be.
    pub(super) fn halves(self) -> Option<[Self; 2]> {
        let half = (self.end - self.begin) / 2;
        let middle = self.begin + half;
        (half >= SHORTEST).then(|| [Self::new(self.begin, middle), Self::new(middle, self.end)])
    }
}

impl Store {
    /// Returns the pieces that a check goes through, the newest first.
    pub(super) async fn pieces(&self, over: Over, reach: Reach) -> Result<Vec<Piece>, Error> {
        let table = match over {
            // Read as a whole, wherever it begins.
            Over::Tables => return Ok(vec![Piece::new(Time::UNIX_EPOCH, tomorrow())]),
            Over::Jobs => return self.piece_of_jobs().await,
            Over::Runs => "run",
            Over::Trail => "audit",
        };
        let days = sqlx::query_file!("queries/invariant/days.sql", table)
            .fetch_all(&self.pool)
            .await?;
        let days = days.into_iter().map(|row| (row.day, row.bytes));
        let yesterday = crate::clock::now().date_naive() - ChronoDays::new(1);
        let days = days.filter(|(day, _)| reach == Reach::All || *day == yesterday);
        Ok(together(days))
    }

    async fn piece_of_jobs(&self) -> Result<Vec<Piece>, Error> {
        let oldest = sqlx::query_scalar!(
            r#"select run_id as "run_id!" from stepwell.job order by run_id limit 1"#
        )
        .fetch_optional(&self.pool)
        .await?;
        let begin = oldest.map(|id| created_at(id).unwrap_or(Time::UNIX_EPOCH));
        Ok(begin
            .map(|begin| Piece::new(begin, tomorrow()))
            .into_iter()
            .collect())
    }
}

/// Puts days that follow each other into one piece while they are small, and cuts large ones; the newest piece first.
fn together(days: impl Iterator<Item = (NaiveDate, i64)>) -> Vec<Piece> {
    let mut spans: Vec<(NaiveDate, NaiveDate, i64)> = Vec::new();
    for (day, bytes) in days {
        let next = day + ChronoDays::new(1);
        match spans.last_mut() {
            Some((_, end, size)) if *end == day && *size + bytes <= BYTES_AT_ONCE => {
                *end = next;
                *size += bytes;
            }
            _ => spans.push((day, next, bytes)),
        }
    }
    let midnight =
        |day: NaiveDate| DateTime::from_naive_utc_and_offset(day.and_time(NaiveTime::MIN), Utc);
    spans
        .into_iter()
        .rev()
        .flat_map(|(begin, end, bytes)| Piece::new(midnight(begin), midnight(end)).parts(bytes))
        .collect()
}

/// After every id that there is: clocks differ by less than a day.
fn tomorrow() -> Time {
    crate::clock::now() + TimeDelta::days(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, n).unwrap()
    }

    #[test]
    fn small_days_go_together_and_a_gap_parts_them() {
        let days = [(1, 5), (2, 5), (4, 5), (5, BYTES_AT_ONCE - 1), (6, 1)];
        let days = days.map(|(n, bytes)| (day(n), bytes));
        let pieces = together(days.into_iter());
        let spans: Vec<_> = pieces
            .iter()
            .map(|piece| (piece.begin.date_naive(), piece.end.date_naive()))
            .collect();
        assert_eq!(
            spans,
            [
                (day(6), day(7)),
                (day(5), day(6)),
                (day(4), day(5)),
                (day(1), day(3))
            ]
        );
    }

    #[test]
    fn a_busy_day_is_cut_by_time() {
        let pieces = together([(day(1), 2 * BYTES_AT_ONCE)].into_iter());
        assert_eq!(pieces.len(), 3);
        assert_eq!(
            (pieces[2].begin.date_naive(), pieces[0].end.date_naive()),
            (day(1), day(2))
        );
        assert!(pieces.windows(2).all(|pair| pair[0].from == pair[1].to));
    }

    #[test]
    fn halves_make_the_whole_until_they_are_too_short() {
        let mut piece = Piece::new(Time::UNIX_EPOCH, Time::UNIX_EPOCH + TimeDelta::days(1));
        let mut cuts = 0;
        while let Some([first, second]) = piece.halves() {
            assert_eq!(
                (first.from, first.to, second.to),
                (piece.from, second.from, piece.to)
            );
            piece = first;
            cuts += 1;
        }
        assert_eq!(cuts, 10);
    }
}
