//! The schema: its version, the room ahead, who works on it, and what waits.

use std::time::Duration;

use stepwell::queue::clock;
use stepwell::queue::migrate::Standing;
use stepwell::queue::server::Upkeep;
use stepwell::queue::{Error, Store};

use super::clocks;
use super::finding::Finding;
use crate::cli::parts;

/// Days that the maintenance keeps ahead; one less is left just before it runs after midnight.
const DAYS_AHEAD_MIN: i64 = 2;
/// A run that has been due for so long waits for workers, not for its turn.
const DUE_LATE: Duration = Duration::from_secs(60);
/// Queues without a worker that are named: the first ones say what is missing.
const QUEUES_TOLD: usize = 5;

/// Adds what there is to say of the schema. `false`: it is not that of this program.
pub(super) async fn examine(store: &Store, findings: &mut Vec<Finding>) -> bool {
    match store.standing().await {
        Ok(standing) => {
            findings.push(version(standing));
            if standing == Standing::Current
                && let Err(error) = upkeep(store, findings).await
            {
                findings.push(unread(&error));
            }
            standing == Standing::Current
        }
        Err(error) => {
            findings.push(unread(&error));
            false
        }
    }
}

fn unread(error: &Error) -> Finding {
    Finding::fail(
        "schema",
        parts::chain(error),
        "let the user of DATABASE_URL read the schema stepwell",
    )
}

fn version(standing: Standing) -> Finding {
    const CHECK: &str = "schema version";
    match standing {
        Standing::Current => Finding::ok(CHECK, "it is that of this program"),
        Standing::Behind => Finding::fail(
            CHECK,
            "it is older than this program, or absent",
            "stepwell migrate up",
        ),
        Standing::Ahead => Finding::fail(
            CHECK,
            "it is newer than this program",
            "run the newer stepwell",
        ),
    }
}

async fn upkeep(store: &Store, findings: &mut Vec<Finding>) -> Result<(), Error> {
    let upkeep = store.upkeep().await?;
    findings.push(partitions(upkeep));
    findings.push(defaults(&store.partition_alarm().await?));
    findings.push(silent_workers(upkeep));
    clocks::examine(store, findings).await?;
    let census = store.census().await?;
    let detail = format!("{} alive, {} draining", census.alive, census.draining);
    findings.push(if census.alive > 0 {
        Finding::ok("workers", detail)
    } else {
        Finding::warn(
            "workers",
            detail,
            "start one, unless nothing is to run now: stepwell worker",
        )
    });
    let queues = store.queues().await?;
    let unserved: Vec<_> = queues
        .iter()
        .filter(|queue| queue.workers == 0 && queue.depth.due() > 0)
        .map(|queue| (queue.name.as_str(), queue.depth.due()))
        .collect();
    findings.push(served(&unserved));
    let oldest = queues
        .iter()
        .filter_map(|queue| Some((queue.depth.oldest_due?, queue.name.as_str())))
        .min();
    let waited = oldest.map(|(due, queue)| {
        let waited = (clock::now() - due).to_std().unwrap_or_default();
        (waited, queue)
    });
    findings.push(due(waited));
    Ok(())
}

fn partitions(upkeep: Upkeep) -> Finding {
    let days = upkeep.days_ahead;
    let detail = format!("made for {days} days ahead");
    if days >= DAYS_AHEAD_MIN {
        Finding::ok("partitions", detail)
    } else {
        Finding::warn(
            "partitions",
            detail,
            "keep an api or a worker running: each makes them every ten minutes",
        )
    }
}

fn defaults(used: &[String]) -> Finding {
    const CHECK: &str = "default partitions";
    if used.is_empty() {
        return Finding::ok(CHECK, "empty");
    }
    let detail = format!("rows are in {}", used.join(", "));
    let remedy = "a clock was wrong, or no process ran for days: see docs/operations.md, Watching";
    Finding::warn(CHECK, detail, remedy)
}

fn silent_workers(upkeep: Upkeep) -> Finding {
    const CHECK: &str = "dead workers";
    match upkeep.workers_silent {
        0 => Finding::ok(CHECK, "none is waiting to be cleared away"),
        silent => Finding::warn(
            CHECK,
            format!("{silent} are silent, and what they held is not freed yet"),
            "start a worker: it frees the runs of the dead",
        ),
    }
}

/// `unserved`: queues without a live worker, with what waits in each.
fn served(unserved: &[(&str, u64)]) -> Finding {
    const CHECK: &str = "queues served";
    let Some((first, _)) = unserved.first() else {
        return Finding::ok(
            CHECK,
            "where something waits, a worker takes from the queue",
        );
    };
    let told = unserved.iter().take(QUEUES_TOLD);
    let told: Vec<_> = told.map(|(name, n)| format!("{name} ({n} wait)")).collect();
    Finding::warn(
        CHECK,
        format!("no live worker takes from {}", told.join(", ")),
        format!("start a worker for each: stepwell worker --queue {first}"),
    )
}

fn due(waited: Option<(Duration, &str)>) -> Finding {
    const CHECK: &str = "oldest due run";
    match waited {
        None => Finding::ok(CHECK, "none waits for a worker"),
        Some((waited, queue)) if waited < DUE_LATE => Finding::ok(
            CHECK,
            format!("has waited for {} s in queue {queue}", waited.as_secs()),
        ),
        Some((waited, queue)) => Finding::warn(
            CHECK,
            format!("has waited for {} s in queue {queue}", waited.as_secs()),
            format!("start more workers with --queue {queue}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Upkeep, defaults, due, partitions, served, silent_workers};
    use crate::cli::doctor::finding::State;

    #[test]
    fn what_is_late_is_warned_of() {
        let well = Upkeep {
            days_ahead: 3,
            workers_silent: 0,
        };
        assert_eq!(partitions(well).state, State::Ok);
        assert_eq!(silent_workers(well).state, State::Ok);
        let poor = Upkeep {
            days_ahead: 1,
            workers_silent: 2,
        };
        assert_eq!(partitions(poor).state, State::Warn);
        assert_eq!(silent_workers(poor).state, State::Warn);
        assert_eq!(defaults(&[]).state, State::Ok);
        assert_eq!(defaults(&["run_default".into()]).state, State::Warn);
        assert_eq!(served(&[]).state, State::Ok);
        assert_eq!(served(&[("gpu", 2)]).state, State::Warn);
        assert_eq!(due(None).state, State::Ok);
        assert_eq!(due(Some((Duration::from_secs(5), "q"))).state, State::Ok);
        assert_eq!(due(Some((Duration::from_secs(61), "q"))).state, State::Warn);
    }
}
