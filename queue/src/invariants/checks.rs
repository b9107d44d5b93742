//! The list: what each check means, what to do about a breach, and the statement that finds it.

use std::pin::Pin;

use sqlx::PgConnection;

use super::Check;
use super::days::Piece;

/// What a statement gives.
pub(super) struct Row {
    pub(super) breaches: i64,
    pub(super) examples: Vec<String>,
}

type Answer<'c> = Pin<Box<dyn Future<Output = Result<Row, sqlx::Error>> + Send + 'c>>;
type Ask = for<'c> fn(&'c mut PgConnection, &'c Piece) -> Answer<'c>;

/// What a check goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Small tables, as a whole.
    Tables,
    /// Jobs, by their runs.
    Jobs,
    /// The days of runs.
    Runs,
    /// The days of the trail.
    Trail,
}

impl Over {
    /// Whether its statements ask of a piece, rather than of whole tables.
    pub(super) fn has_pieces(self) -> bool {
        self != Self::Tables
    }
}

/// A check with its statement.
pub(super) struct Listed {
    pub(super) check: Check,
    pub(super) over: Over,
    pub(super) ask: Ask,
}

macro_rules! listed {
    ($name:literal, $over:ident, $file:literal, $means:literal, $remedy:literal $(, $($part:ident),+)?) => {
        Listed {
            check: Check {
                name: $name,
                means: $means,
                remedy: $remedy,
            },
            over: Over::$over,
            ask: |connection, piece| {
                Box::pin(async move {
                    let _ = piece;
                    sqlx::query_file_as!(Row, $file $(, $(piece.$part),+)?)
                        .fetch_one(connection)
                        .await
                })
            },
        }
    };
}

/// Every check. Remedies mend what stands in the way; how it came about is for us to hear.
pub(super) const LIST: &[Listed] = &[
    listed!(
        "run_without_job",
        Runs,
        "queries/invariant/run_without_job.sql",
        "every run that is not over has a job",
        "nobody takes such a run up. Make it due: insert into stepwell.job (run_id, queue, state, rank, \
         fresh, sequence) select r.id, r.queue, 'ready', -r.priority, false, (select max(a.sequence) \
         from stepwell.audit a where a.entity_id = r.id) from stepwell.run r where r.id = 'RUN'",
        from,
        to
    ),
    listed!(
        "job_without_run",
        Jobs,
        "queries/invariant/job_without_run.sql",
        "every job is of a run that is not over",
        "the next worker that claims it drops it; one that stays: delete from stepwell.job where run_id = 'RUN'",
        from,
        to
    ),
    listed!(
        "lease",
        Jobs,
        "queries/invariant/lease.sql",
        "what is leased is held by a worker whose death would be noticed",
        "nobody frees it. Of a worker that is known, the others free it at their next heartbeat after: update \
         stepwell.worker set freed_at = null where id = 'WORKER'. Of one that is nowhere: update stepwell.job \
         set state = 'ready', worker_id = null, sequence = (select max(a.sequence) from stepwell.audit a \
         where a.entity_id = run_id) where run_id = 'RUN'",
        from,
        to
    ),
    listed!(
        "parked",
        Jobs,
        "queries/invariant/parked.sql",
        "a parked run says on what it waits",
        "wake it, and its driver finds out: select stepwell.resume_run('RUN')",
        from,
        to
    ),
    listed!(
        "place",
        Tables,
        "queries/invariant/place.sql",
        "places under concurrency keys are of runs that are not over",
        "a worker takes them back with its heartbeat: start one. Does one run, look in its log for places that \
         could not be looked after"
    ),
    listed!(
        "places_held",
        Tables,
        "queries/invariant/places_held.sql",
        "no more runs go on under a concurrency key than its limit",
        "pause the runs that must not go on together: select stepwell.pause_run('RUN')"
    ),
    listed!(
        "seat",
        Tables,
        "queries/invariant/seat.sql",
        "no more calls may be at an agent than its max_concurrency",
        "it passes with the calls; if it stays, restart the workers one after the other, and their seats are free"
    ),
    listed!(
        "dedupe",
        Tables,
        "queries/invariant/dedupe.sql",
        "dedupe keys are held by runs that are not over",
        "free the key: delete from stepwell.dedupe where run_id = 'RUN'"
    ),
    listed!(
        "detached",
        Tables,
        "queries/invariant/detached.sql",
        "an attempt is put up for a step that waits for it",
        "its result is ignored, and it costs whoever makes it: delete from stepwell.detached where run_id = 'RUN' \
         and name = 'STEP'"
    ),
    listed!(
        "run_times",
        Runs,
        "queries/invariant/run_times.sql",
        "what is over says when it ended, and ended after it began",
        "a clock was set: stepwell doctor compares this host's, so run it on every host with workers",
        from,
        to
    ),
    listed!(
        "step_times",
        Runs,
        "queries/invariant/step_times.sql",
        "steps that are over say when they ended, and none was tried beyond its number",
        "a clock was set, or a definition's attempts were not kept to: compare with the trail, select * from \
         stepwell.v_audit where entity_id = 'RUN' order by sequence",
        from,
        to
    ),
    listed!(
        "step_open",
        Runs,
        "queries/invariant/step_open.sql",
        "no step goes on in a run that is over",
        "nothing of it happens any more, but views show it: report it with the trail, select * from stepwell.v_audit \
         where entity_id = 'RUN' order by sequence",
        from,
        to
    ),
    listed!(
        "run_error",
        Runs,
        "queries/invariant/run_error.sql",
        "a completed run has no error, and one that failed says why",
        "the trail tells why: select detail from stepwell.v_audit where entity_id = 'RUN' order by sequence desc \
         limit 1",
        from,
        to
    ),
    listed!(
        "outcome",
        Runs,
        "queries/invariant/outcome.sql",
        "lists know exactly the runs that did not complete",
        "was the trigger run_turned disabled? Enable it, then: delete from stepwell.run_outcome where run_id = 'RUN'; \
         insert into stepwell.run_outcome select status, id, workflow_id from stepwell.run where id = 'RUN' and \
         status in ('failed', 'cancelled', 'timed_out')",
        from,
        to
    ),
    listed!(
        "record",
        Runs,
        "queries/invariant/record.sql",
        "a record stands as the run that processes it",
        "was the trigger run_turned disabled? Enable it, and give the record the status that its run says",
        from,
        to
    ),
    listed!(
        "trail_gap",
        Trail,
        "queries/invariant/trail_gap.sql",
        "the records of each entity are numbered 1, 2, 3 … without gaps",
        "records were removed, or a commit was lost: compare with the last backup, and keep both",
        from,
        to,
        floor
    ),
    listed!(
        "trail_end",
        Trail,
        "queries/invariant/trail_end.sql",
        "the trail of a run that is over ends with the record that its row names",
        "the row or the trail was changed by hand, or a commit was lost: compare with the last backup, and keep both",
        from,
        to,
        floor
    ),
    listed!(
        "trail_run",
        Trail,
        "queries/invariant/trail_run.sql",
        "a run that is over stands as its trail says",
        "the row was changed by hand, or a commit was lost: the trail cannot be changed, so believe the trail",
        from,
        to,
        floor
    ),
    listed!(
        "trail_step",
        Trail,
        "queries/invariant/trail_step.sql",
        "a step of a run that is over stands as the trail says",
        "the row was changed by hand, or a commit was lost: the trail cannot be changed, so believe the trail",
        from,
        to,
        floor
    ),
    listed!(
        "trail_chain",
        Trail,
        "queries/invariant/trail_chain.sql",
        "each record of a run's status goes on from where the last one left it",
        "nothing is to be mended: a run went on from a state that was not committed. Report it with the trail, select \
         * from stepwell.v_audit where entity_id = 'RUN' order by sequence",
        from,
        to,
        floor
    ),
];
