//! How much lies in each queue: runs, and attempts of steps that are made elsewhere. A large job table is
//! sampled, as counting it would cost more than claiming from it. `stepwell.v_queues` says the same.

use std::collections::BTreeMap;

use stepwell_workflow::Time;

use crate::run::bounds::created_at;
use crate::{Error, Store};

/// Jobs up to which they are counted one by one.
const EXACT_MAX: f32 = 100_000.0;

/// What lies in one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    pub queue: String,
    pub ready: u64,
    /// Its time has come.
    pub overdue: u64,
    /// Its time is to come.
    pub timed: u64,
    pub leased: u64,
    pub parked: u64,
    /// Attempts that no worker has taken yet, those of paused runs left out.
    pub put_up: u64,
    /// Attempts that workers make.
    pub making: u64,
    /// When the oldest of what is due was created, put up, or became due.
    pub oldest_due: Option<Time>,
    /// The numbers of jobs come from a sample.
    pub estimated: bool,
}

impl Depth {
    /// What waits for a worker now.
    #[must_use]
    pub const fn due(&self) -> u64 {
        self.ready + self.overdue + self.put_up
    }

    /// What workers do now.
    #[must_use]
    pub const fn running(&self) -> u64 {
        self.leased + self.making
    }
}

impl Store {
    /// Counts what lies in each queue, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn depth(&self) -> Result<Vec<Depth>, Error> {
        let mut depths: BTreeMap<String, Depth> = BTreeMap::new();
        for jobs in self.jobs().await? {
            depths.insert(jobs.queue.clone(), jobs);
        }
        let attempts = sqlx::query!(
            r#"select d.lane,
                      count(*) filter (where d.worker_id is null and held.run_id is null) as "put_up!",
                      count(d.worker_id) as "making!",
                      min(d.due_at) filter (where d.worker_id is null and held.run_id is null) as oldest
               from stepwell.detached d
               left join stepwell.job held on held.run_id = d.run_id and held.paused
               where d.kind = 'queue'
               group by d.lane"#
        )
        .fetch_all(&self.pool)
        .await?;
        for row in attempts {
            let depth = depths.entry(row.lane.clone()).or_default();
            depth.queue = row.lane;
            depth.put_up = u64::try_from(row.put_up).unwrap_or(0);
            depth.making = u64::try_from(row.making).unwrap_or(0);
            depth.oldest_due = depth.oldest_due.into_iter().chain(row.oldest).min();
        }
        Ok(depths.into_values().collect())
    }

    async fn jobs(&self) -> Result<Vec<Depth>, Error> {
        let size = sqlx::query_scalar!(
            r#"select reltuples as "size!" from pg_class where oid = 'stepwell.job'::regclass"#
        )
        .fetch_one(&self.pool)
        .await?;
        let percent = (EXACT_MAX / size.max(1.0) * 100.0).min(100.0);
        let estimated = percent < 100.0;
        let rows = sqlx::query!(
            r#"select d.queue as "queue!", d.ready as "ready!", d.overdue as "overdue!", d.timed as "timed!", d.leased as "leased!", d.parked as "parked!",
                      -- One probe of the index for each priority that there is.
                      (with recursive first as (
                           (select j.rank, j.run_id from stepwell.job j
                            where j.state = 'ready' and j.queue = d.queue order by j.rank, j.run_id limit 1)
                           union all
                           select n.rank, n.run_id from first
                           cross join lateral (
                               select j.rank, j.run_id from stepwell.job j
                               where j.state = 'ready' and j.queue = d.queue and j.rank > first.rank
                               order by j.rank, j.run_id limit 1) as n)
                       select run_id from first order by run_id limit 1) as oldest_ready,
                      d.oldest_timed
               from (
                   select queue, count(*) filter (where state = 'ready') as ready,
                          count(*) filter (where state = 'timed' and run_at <= now()) as overdue,
                          count(*) filter (where state = 'timed' and run_at > now()) as timed,
                          count(*) filter (where state = 'leased') as leased,
                          count(*) filter (where state = 'parked') as parked,
                          min(run_at) filter (where state = 'timed' and run_at <= now()) as oldest_timed
                   from stepwell.job tablesample system ($1)
                   group by queue
               ) as d"#,
            percent
        )
        .fetch_all(&self.pool)
        .await?;
        let scale = f64::from(100.0 / percent);
        let scaled =
            |count: i64| (u32::try_from(count).map_or(f64::MAX, f64::from) * scale).round();
        let whole = |count: i64| {
            // Not negative and far below 2^52.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "see above"
            )]
            let whole = scaled(count) as u64;
            whole
        };
        Ok(rows
            .into_iter()
            .map(|row| Depth {
                queue: row.queue,
                ready: whole(row.ready),
                overdue: whole(row.overdue),
                timed: whole(row.timed),
                leased: whole(row.leased),
                parked: whole(row.parked),
                oldest_due: [row.oldest_ready.and_then(created_at), row.oldest_timed]
                    .into_iter()
                    .flatten()
                    .min(),
                estimated,
                ..Depth::default()
            })
            .collect())
    }
}
