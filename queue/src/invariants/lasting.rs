//! What a worker holds by the tables and not in its own hands. Between two heartbeats runs come and go, so
//! that alone says nothing: what counts is what is leased through several heartbeats, when one of them says
//! that the worker has less than that. Under a load of short runs a few can hide behind those: the next look
//! finds them when there is less to do.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use stepwell_workflow::Time;
use uuid::Uuid;

use super::look::EXAMPLES_MAX;
use super::{Check, Found};
use crate::{Error, Store};

/// Runs that a worker was given and does not know of.
const UNDRIVEN: Check = Check {
    name: "undriven",
    means: "a live worker drives what is leased to it",
    remedy: "nobody drives these runs, and a cancel does nothing: restart the worker, and the others take them over",
};
/// Seats that a worker was given and does not know of.
const SEAT_LOST: Check = Check {
    name: "seat_lost",
    means: "a worker that has nothing in hand sits at no agent",
    remedy: "calls of the agent wait for these seats: restart the worker, and they are free",
};
/// Heartbeats that a difference must outlast.
const BEATS: usize = 3;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The longest time that this may take: a worker that is silent for longer is held for dead.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A worker with more than it knows of, as of some heartbeat.
struct Suspect {
    name: String,
    seen_at: Time,
    running: usize,
    runs: HashSet<Uuid>,
    seats: HashSet<String>,
}

/// What has been so since the first look.
struct Lasting {
    since: Suspect,
    /// The least number of runs that it has said it holds since.
    least: Option<usize>,
    beats: usize,
}

/// Looks until each difference has either gone or lasted.
pub(super) async fn look(store: &Store) -> Result<[Found; 2], Error> {
    let deadline = tokio::time::Instant::now() + WAIT_MAX;
    let mut open: HashMap<Uuid, Lasting> = suspects(store)
        .await?
        .into_iter()
        .map(|(id, since)| {
            let lasting = Lasting {
                since,
                least: None,
                beats: 0,
            };
            (id, lasting)
        })
        .collect();
    let mut found = [Found::none(UNDRIVEN), Found::none(SEAT_LOST)];
    while !open.is_empty() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
        let mut now = suspects(store).await?;
        open.retain(|id, lasting| {
            now.remove(id)
                .is_some_and(|suspect| lasting.lasts(&suspect))
        });
        let over = open.extract_if(|_, lasting| lasting.beats >= BEATS);
        for (_, lasting) in over {
            lasting.tell(&mut found);
        }
    }
    for found in &mut found {
        found.complete = open.is_empty();
    }
    Ok(found)
}

impl Lasting {
    /// Takes in another look; `false`: nothing is left to wonder at.
    fn lasts(&mut self, now: &Suspect) -> bool {
        self.since.runs.retain(|run| now.runs.contains(run));
        self.since.seats.retain(|seat| now.seats.contains(seat));
        if now.seen_at > self.since.seen_at {
            self.since.seen_at = now.seen_at;
            self.beats += 1;
            // Said while all of these were leased to it.
            self.least = self
                .least
                .map(|least| least.min(now.running))
                .or(Some(now.running));
        }
        self.since.runs.len() > self.least.unwrap_or(0) || !self.since.seats.is_empty()
    }

    fn tell(self, [undriven, seats]: &mut [Found; 2]) {
        let name = self.since.name;
        let driven = self.least.unwrap_or(0);
        let more = self.since.runs.len().saturating_sub(driven);
        if more > 0 {
            // Which of them are driven only the worker knows.
            let runs: Vec<_> = self
                .since
                .runs
                .iter()
                .take(EXAMPLES_MAX)
                .map(Uuid::to_string)
                .collect();
            let told = format!(
                "worker {name} drives {} of {}: {}",
                driven,
                self.since.runs.len(),
                runs.join(", ")
            );
            undriven.add(i64::try_from(more).unwrap_or(i64::MAX), vec![told]);
        }
        let held = i64::try_from(self.since.seats.len()).unwrap_or(i64::MAX);
        if held > 0 {
            let numbers: Vec<_> = self.since.seats.into_iter().take(EXAMPLES_MAX).collect();
            seats.add(held, vec![format!("worker {name}: {}", numbers.join(", "))]);
        }
    }
}

async fn suspects(store: &Store) -> Result<HashMap<Uuid, Suspect>, Error> {
    let rows = sqlx::query_file!("queries/invariant/undriven.sql")
        .fetch_all(&store.pool)
        .await?;
    let suspects = rows.into_iter().map(|row| {
        let suspect = Suspect {
            name: row.name,
            seen_at: row.seen_at,
            running: usize::try_from(row.running).unwrap_or_default(),
            runs: row.runs.into_iter().collect(),
            seats: row.seats.into_iter().collect(),
        };
        (row.id, suspect)
    });
    Ok(suspects.collect())
}

#[cfg(test)]
mod tests {
    use super::{
        BEATS, Duration, Found, HashSet, Lasting, SEAT_LOST, Suspect, Time, UNDRIVEN, Uuid,
    };

    fn said(beat: u64, running: usize, runs: &[u128]) -> Suspect {
        Suspect {
            name: "w".into(),
            seen_at: Time::UNIX_EPOCH + Duration::from_secs(5 * beat),
            running,
            runs: runs.iter().map(|n| Uuid::from_u128(*n)).collect(),
            seats: HashSet::new(),
        }
    }

    fn seen(first: Suspect) -> Lasting {
        Lasting {
            since: first,
            least: None,
            beats: 0,
        }
    }

    #[test]
    fn what_comes_and_goes_is_no_breach() {
        let mut busy = seen(said(0, 2, &[1, 2, 3]));
        assert!(
            busy.lasts(&said(0, 2, &[1, 2, 3, 4])),
            "the last beat is old"
        );
        assert!(
            !busy.lasts(&said(1, 3, &[1, 3, 4, 5])),
            "two of them last, and it has three"
        );
    }

    #[test]
    fn what_lasts_and_is_not_in_its_hands_is_told() {
        let mut left = seen(said(0, 1, &[1, 2, 3]));
        for beat in 1..=3 {
            assert!(left.lasts(&said(beat, 1, &[1, 2, 3, 10 + u128::from(beat)])));
        }
        assert_eq!(left.beats, BEATS);
        let mut found = [Found::none(UNDRIVEN), Found::none(SEAT_LOST)];
        left.tell(&mut found);
        assert_eq!((found[0].breaches, found[1].breaches), (2, 0));
        assert!(found[0].examples[0].starts_with("worker w drives 1 of 3: "));
    }
}
