//! Writes lines, as many as there is room for.

use uuid::Uuid;

use super::{LINE_CHARS_MAX, LINES_PER_RUN_MAX, LINES_PER_STEP_MAX, Line};
use crate::text::clean;
use crate::{Error, Store, transaction};

/// Lines in one statement.
pub(super) const LINES_PER_STATEMENT: usize = 500;
/// The space of advisory locks that writers of one run's log take, any number that nobody else uses.
const LOCK_SPACE: i32 = 0x1065;
/// What the end of a line that was cut says.
const CUT: &str = " … (cut)";

impl Store {
    /// Keeps lines, in order. What is beyond the bounds of a step or a run is left out, and the last
    /// line says so.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn write_lines(&self, lines: &[Line]) -> Result<(), Error> {
        for lines in lines.chunks(LINES_PER_STATEMENT) {
            self.write_some(lines).await?;
        }
        Ok(())
    }

    async fn write_some(&self, lines: &[Line]) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        // Lines of one run are counted by one writer at a time; locks are taken in order.
        let mut locks: Vec<i32> = lines.iter().map(|line| lock_of(line.run_id)).collect();
        locks.sort_unstable();
        locks.dedup();
        for lock in locks {
            sqlx::query!("select pg_advisory_xact_lock($1, $2)", LOCK_SPACE, lock)
                .fetch_one(&mut *transaction)
                .await?;
        }
        sqlx::query_file!(
            "queries/log.sql",
            &lines.iter().map(|l| l.run_id).collect::<Vec<_>>(),
            &lines.iter().map(|_| crate::clock::id()).collect::<Vec<_>>(),
            &lines.iter().map(|l| l.at).collect::<Vec<_>>(),
            &lines
                .iter()
                .map(|l| i16::try_from(l.attempt).unwrap_or(i16::MAX))
                .collect::<Vec<_>>(),
            &lines.iter().map(|l| l.level.number()).collect::<Vec<_>>(),
            &lines.iter().map(|l| clean(&l.step)).collect::<Vec<_>>() as _,
            &lines.iter().map(|l| cut(&l.message)).collect::<Vec<_>>(),
            LINES_PER_STEP_MAX,
            LINES_PER_RUN_MAX,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

fn lock_of(run_id: Uuid) -> i32 {
    // The last bytes of a UUIDv7 are random.
    let [.., a, b, c, d] = *run_id.as_bytes();
    i32::from_be_bytes([a, b, c, d])
}

/// Returns what is kept of a message.
fn cut(message: &str) -> String {
    let message = clean(message);
    match message.char_indices().nth(LINE_CHARS_MAX) {
        None => message.into_owned(),
        Some(_) => {
            let room = LINE_CHARS_MAX - CUT.chars().count();
            let mut kept: String = message.chars().take(room).collect();
            kept.push_str(CUT);
            kept
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        assert_eq!(cut("a\0b"), "a\u{fffd}b");
        let most = "ü".repeat(LINE_CHARS_MAX);
        assert_eq!(cut(&most), most);
        let kept = cut(&format!("{most}x"));
        assert_eq!(kept.chars().count(), LINE_CHARS_MAX);
        assert!(kept.ends_with(CUT));
    }
}
