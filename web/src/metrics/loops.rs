//! What the hot loops of this process have done to the database.

use stepwell_queue::counters::Counters;
use stepwell_queue::descriptors;

use super::Sample;

/// Reads the counters.
pub(crate) fn samples(counters: &Counters) -> Vec<Sample> {
    let c = counters;
    let short = Sample::counter(
        "descriptor_shortages",
        "Calls that waited because this process had no descriptors left.",
        descriptors::shortages(),
    );
    let all = [
        (
            "enqueue_batches",
            "Statements of this process that wrote new runs.",
            &c.enqueue_batches,
        ),
        (
            "enqueued_runs",
            "Runs that this process wrote.",
            &c.enqueued_runs,
        ),
        (
            "claims",
            "Claims sent, those that found nothing included.",
            &c.claims,
        ),
        (
            "claim_full_scans",
            "Claims that looked at the queue from its beginning.",
            &c.full_scans,
        ),
        (
            "claim_slices",
            "Slices of the job table that were looked through, because somebody holds an old snapshot.",
            &c.slices,
        ),
        ("claimed_runs", "Runs claimed.", &c.claimed_runs),
        ("commit_batches", "Group commits.", &c.commit_batches),
        (
            "commits",
            "Changes of runs in the group commits.",
            &c.commits,
        ),
        (
            "committed_steps",
            "Step rows in the group commits.",
            &c.committed_steps,
        ),
        (
            "unknown_commits",
            "Changes whose commit broke off, so that nobody knows whether they are there.",
            &c.unknown_commits,
        ),
        (
            "refused_commits",
            "Changes that the database refused.",
            &c.refused_commits,
        ),
        (
            "commits_set_aside",
            "Times that changes of a run were set aside: the database did not take them, for a reason not known to pass.",
            &c.commits_set_aside,
        ),
        (
            "orphans_given_back",
            "Runs that this worker held and nobody drove; it gave them back.",
            &c.orphans_given_back,
        ),
        (
            "workers_marked_dead",
            "Workers that this process held for dead.",
            &c.workers_marked_dead,
        ),
        (
            "rescued_runs",
            "Runs that this process freed from dead workers.",
            &c.rescued_jobs,
        ),
        ("notifies", "NOTIFY statements sent.", &c.notifies),
    ];
    all.into_iter()
        .map(|(name, help, counter)| Sample::counter(name, help, counter.get()))
        .chain([short])
        .collect()
}
