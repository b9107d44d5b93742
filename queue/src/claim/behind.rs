//! What lies behind the floor while somebody holds an old snapshot: found in the table itself, a slice
//! at a time, and then claimed by name.
//!
//! A slice is a number of blocks, so it costs the same however many dead rows there are. Each other slice
//! is the end of the table: that is where new rows are while nothing can be freed.

use std::ops::Range;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use uuid::Uuid;

use super::desk::{CLAIM_TIMEOUT, Desk};
use super::mark::Mark;
use crate::Error;
use crate::link::timed_out;

/// Blocks of a slice: 4 MB, two or three milliseconds when they are cached.
const SLICE: i64 = 512;

/// How far the table has been looked through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    /// The next block of the way from the beginning.
    at: i64,
    /// Blocks of the table, as of the last slice.
    blocks: i64,
    /// The end of the table is next.
    end_is_next: bool,
}

impl Walk {
    fn slice(&self) -> Range<i64> {
        let from = if self.end_is_next {
            (self.blocks - SLICE).max(0)
        } else {
            self.at
        };
        from..from + SLICE
    }

    /// Goes on, unless there was more in the slice than could be taken.
    fn go_on(&mut self, blocks: i64, taken: bool) {
        self.blocks = blocks;
        if !taken {
            return;
        }
        if !self.end_is_next {
            self.at += SLICE;
            if self.at >= blocks {
                self.at = 0;
            }
        }
        self.end_is_next = !self.end_is_next;
    }
}

impl Desk {
    /// Looks through the next slice for a queue, when it is time. Returns up to `most` jobs that are due
    /// there.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(super) async fn look_behind(&mut self, n: usize, most: usize) -> Result<Vec<Uuid>, Error> {
        let began = Instant::now();
        let Some((queue, pace)) = self.queues.get_mut(n) else {
            return Ok(Vec::new());
        };
        let floor = pace.floor();
        let Some(slice) = pace.walk(began).map(|walk| walk.slice()) else {
            return Ok(Vec::new());
        };
        let connection = self.link.get().await?;
        let looking = look(connection, queue, slice, floor, most);
        let (jobs, blocks) = tokio::time::timeout(CLAIM_TIMEOUT, looking)
            .await
            .map_err(|_| Error::Unavailable(timed_out("a look behind the floor")))??;
        self.life.store.desk.counters.slices.add(1);
        if let Some(walk) = pace.walk(began) {
            walk.go_on(blocks, jobs.len() < most);
        }
        // Time that found something is not wasted.
        let took = if jobs.is_empty() {
            began.elapsed()
        } else {
            Duration::ZERO
        };
        pace.walked(took, Instant::now());
        Ok(jobs)
    }
}

/// Finds due jobs behind the floor in these blocks; says how many blocks there are.
async fn look(
    connection: &mut PgConnection,
    queue: &str,
    slice: Range<i64>,
    floor: Mark,
    most: usize,
) -> Result<(Vec<Uuid>, i64), Error> {
    let rows = sqlx::query_file!(
        "queries/look_behind.sql",
        queue,
        tid(slice.start),
        tid(slice.end),
        floor.rank,
        floor.run_id,
        floor.run_at,
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await?;
    let blocks = rows.first().map_or(0, |row| row.blocks);
    let jobs = rows.into_iter().filter_map(|row| row.run_id);
    Ok((jobs.collect(), blocks))
}

/// The place before the first row of a block.
fn tid(block: i64) -> String {
    format!("({block},0)")
}
