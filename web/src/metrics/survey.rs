//! What the database says of itself. It is asked at most once in a few seconds, however many ask
//! for it, because counting a queue costs; an answer that fails is kept as long, so that a database
//! in trouble is left in peace.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stepwell_queue::depth::Depth;
use stepwell_queue::invariants::Counts;
use stepwell_queue::worker::Census;
use stepwell_queue::{Error, Store};

use super::Sample;
use super::sample::{Kind, Labels, number};
use crate::clock::now;

/// How long an answer is good: Prometheus asks every 15 s or so.
const KEPT: Duration = Duration::from_secs(5);
/// How long the database may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Queues with numbers of their own, the deepest; each is five series. The rest is one queue.
const QUEUES_MAX: usize = 100;
/// The name of the rest: no queue can have it.
const OTHERS: &str = "_other";

/// The last answer.
#[derive(Debug, Default)]
pub struct Survey {
    asking: tokio::sync::Mutex<Option<Instant>>,
    found: Mutex<Option<Arc<Findings>>>,
}

#[derive(Debug)]
struct Findings {
    queues: Vec<Depth>,
    workers: Census,
    default_partitions: usize,
    invariants: Counts,
}

impl Survey {
    /// Asks again if the last answer is too old. Who comes meanwhile waits for the same answer.
    pub async fn refresh(&self, store: &Store) {
        let mut asked_at = self.asking.lock().await;
        if asked_at.is_some_and(|at| at.elapsed() < KEPT) {
            return;
        }
        let found = match tokio::time::timeout(TIMEOUT, ask(store)).await {
            Ok(Ok(found)) => Some(Arc::new(found)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the queues cannot be measured");
                None
            }
            Err(_) => None,
        };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
        *asked_at = Some(Instant::now());
    }

    /// Reads the last answer. Without one there are no numbers, rather than old ones.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        let found = self.found.lock();
        let found = found.unwrap_or_else(PoisonError::into_inner).clone();
        let mut samples = vec![Sample::gauge(
            "database_up",
            "Whether the database answered.",
            found.is_some().into(),
        )];
        if let Some(found) = found {
            samples.extend(found.samples());
        }
        samples
    }
}

async fn ask(store: &Store) -> Result<Findings, Error> {
    Ok(Findings {
        queues: bounded(store.depth().await?),
        workers: store.census().await?,
        default_partitions: store.partition_alarm().await?.len(),
        invariants: store.breaches().await?,
    })
}

/// Keeps the deepest queues and adds up the others.
fn bounded(mut queues: Vec<Depth>) -> Vec<Depth> {
    let size = |depth: &Depth| depth.due() + depth.timed + depth.running() + depth.parked;
    queues.sort_by_key(|depth| std::cmp::Reverse(size(depth)));
    let rest = queues.split_off(queues.len().min(QUEUES_MAX));
    let others = rest.into_iter().reduce(|sum, depth| Depth {
        queue: OTHERS.to_owned(),
        ready: sum.ready + depth.ready,
        overdue: sum.overdue + depth.overdue,
        timed: sum.timed + depth.timed,
        leased: sum.leased + depth.leased,
        parked: sum.parked + depth.parked,
        put_up: sum.put_up + depth.put_up,
        making: sum.making + depth.making,
        oldest_due: sum.oldest_due.into_iter().chain(depth.oldest_due).min(),
        estimated: sum.estimated || depth.estimated,
    });
    queues.extend(others.map(|depth| Depth {
        queue: OTHERS.to_owned(),
        ..depth
    }));
    queues
}

impl Findings {
    fn samples(&self) -> [Sample; 8] {
        let label = |depth: &Depth| ("queue", depth.queue.clone());
        let jobs = self.queues.iter().flat_map(|depth| {
            [
                ("ready", depth.ready),
                ("timed", depth.timed + depth.overdue),
                ("leased", depth.leased),
                ("parked", depth.parked),
            ]
            .map(|(state, count)| {
                (
                    vec![label(depth), ("state", state.to_owned())],
                    number(count),
                )
            })
        });
        let checks = self.invariants.checks.iter();
        let depths = self.queues.iter();
        let depths = depths.map(|depth| (vec![label(depth)], number(depth.due())));
        let attempts = self.queues.iter().flat_map(|depth| {
            [("put_up", depth.put_up), ("making", depth.making)].map(|(state, count)| {
                (
                    vec![label(depth), ("state", state.to_owned())],
                    number(count),
                )
            })
        });
        let ages = self.queues.iter().filter_map(|depth| {
            let age = now() - depth.oldest_due?;
            let seconds = age.to_std().unwrap_or_default().as_secs_f64();
            Some((vec![label(depth)], seconds))
        });
        let gauge = |name, help, values: Vec<(Labels, f64)>| Sample {
            name,
            help,
            kind: Kind::Gauge,
            values,
        };
        [
            gauge(
                "queue_jobs",
                "Runs in a queue that are not over, by the state of their job; of large queues an estimate.",
                jobs.collect(),
            ),
            gauge(
                "queue_attempts",
                "Attempts of steps that are made elsewhere, by the queue they are put up on.",
                attempts.collect(),
            ),
            gauge(
                "queue_depth",
                "What waits for a worker of the queue now: runs and attempts.",
                depths.collect(),
            ),
            gauge(
                "queue_oldest_due_age_seconds",
                "How long the run has waited that waits longest for a worker; absent when none waits.",
                ages.collect(),
            ),
            Sample::gauges(
                "workers",
                "Workers that show signs of life.",
                "status",
                [
                    ("alive", self.workers.alive),
                    ("draining", self.workers.draining),
                ],
            ),
            Sample::gauge(
                "default_partitions_used",
                "Default partitions that hold rows; there should be none.",
                self.default_partitions as u64,
            ),
            Sample::gauges(
                "invariant_breaches",
                "What the last daily look found that must not be; stepwell doctor --deep tells what to do.",
                "check",
                checks.map(|check| (check.name.as_str(), check.breaches)),
            ),
            Sample::gauge(
                "invariants_looked_at_timestamp_seconds",
                "When the last daily look ended; a day ago and more, when none has since.",
                u64::try_from(self.invariants.looked_at.timestamp()).unwrap_or_default(),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Depth, OTHERS, QUEUES_MAX, bounded};

    #[test]
    fn many_queues_are_few_series() {
        let queues = (0..QUEUES_MAX as u64 + 3).map(|n| Depth {
            queue: format!("q{n}"),
            ready: n,
            leased: 1,
            ..Depth::default()
        });
        let kept = bounded(queues.collect());
        assert_eq!(kept.len(), QUEUES_MAX + 1);
        assert_eq!(kept[0].ready, QUEUES_MAX as u64 + 2);
        let rest = &kept[QUEUES_MAX];
        assert_eq!(
            (rest.queue.as_str(), rest.ready, rest.leased),
            (OTHERS, 3, 3)
        );
    }
}
