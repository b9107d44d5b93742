//! What must be true of any database of ours, at any moment between two commits.

use sqlx::AssertSqlSafe;

use super::Database;

/// Each query gives one text per breach.
const INVARIANTS: &[(&str, &str)] = &[
    (
        "every run that is not over has exactly one job",
        "select r.id::text from stepwell.run r
          where r.finished_at is null
            and (select count(*) from stepwell.job j where j.run_id = r.id) <> 1",
    ),
    (
        "no job is without a run that is not over",
        "select j.run_id::text from stepwell.job j
          where not exists (select from stepwell.run r where r.id = j.run_id and r.finished_at is null)",
    ),
    (
        "audit records of one entity are numbered 1, 2, 3 … without gaps",
        "select entity_type || ' ' || entity_id || ': ' || count(*) || ' records, ' || min(sequence)
                || '–' || max(sequence)
           from (select case entity_type when 'step' then 'run' else entity_type end as entity_type,
                        entity_id, sequence from stepwell.audit) a
          group by entity_type, entity_id
         having min(sequence) <> 1 or max(sequence) <> count(*) or count(distinct sequence) <> count(*)",
    ),
    (
        "the run row of a run that is over knows the number of its last record",
        "select r.id::text || ' row ' || r.sequence || ' last ' || coalesce(max(a.sequence), 0)
           from stepwell.run r
           left join stepwell.audit a on a.entity_id = r.id and a.entity_type in ('run', 'step')
          where r.finished_at is not null
          group by r.id, r.sequence
         having r.sequence <> coalesce(max(a.sequence), 0)",
    ),
    (
        "the last change of status in the audit of a run is its status",
        "select id::text || ' is ' || status || ', audited ' || coalesce(last, 'nothing') from (
           select r.id, r.status::text,
                  (select a.after #>> '{}' from stepwell.audit a
                    where a.entity_id = r.id and a.entity_type = 'run' and a.step is null
                      and a.after is not null and a.after #>> '{}' in
                          ('pending', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled', 'timed_out')
                    order by a.sequence desc limit 1) as last
             from stepwell.run r where r.finished_at is not null) s
          where last is distinct from status",
    ),
    (
        "the last change of status in the audit of a step is its status",
        "select s.run_id || ' ' || s.name || ' is ' || s.status || ', audited ' || coalesce(a.after, 'nothing')
           from (select distinct on (run_id, step, item) run_id, name, status::text
                   from stepwell.step order by run_id, step, item, generation desc) s
           join stepwell.run r on r.id = s.run_id and r.finished_at is not null
           left join (select distinct on (entity_id, step) entity_id, step, after #>> '{}' as after
                        from stepwell.audit
                       where entity_type = 'step' and after is not null
                       order by entity_id, step, sequence desc) a
             on a.entity_id = s.run_id and a.step = s.name
          where a.after is distinct from s.status",
    ),
    (
        "what is over says when it ended, and ended after it began",
        "select 'run ' || id from stepwell.run
          where (status in ('completed', 'failed', 'cancelled', 'timed_out')) <> (finished_at is not null)
             or finished_at < started_at or started_at < created_at - interval '1 second'
          union all
         select 'step ' || run_id || ' ' || name || ' ' || status from stepwell.step
          where (status in ('completed', 'failed', 'cancelled', 'timed_out') and finished_at is null)
             or (status in ('pending', 'running', 'waiting', 'paused') and finished_at is not null)
             or finished_at < started_at",
    ),
    (
        "no step of a run that is over is still going on",
        "select s.run_id || ' ' || s.name || ' ' || s.status || ' in a run that is ' || r.status
           from stepwell.step s join stepwell.run r on r.id = s.run_id
          where r.finished_at is not null and s.generation = r.generation
            and s.status in ('pending', 'running', 'waiting', 'paused')",
    ),
    (
        "a completed run has no step that failed unforgiven, a failed one says why",
        "select id::text from stepwell.run
          where (status = 'completed' and error is not null)
             or (status in ('failed', 'timed_out') and error is null)",
    ),
    (
        "nothing is leased by a worker that is gone",
        "select j.run_id || ' by ' || w.status from stepwell.job j
           left join stepwell.worker w on w.id = j.worker_id
          where j.state = 'leased' and coalesce(w.status, 'unknown') in ('gone', 'unknown')",
    ),
    (
        "an attempt is put up for a step that waits for it",
        "select d.run_id || ' ' || d.name from stepwell.detached d
          where not exists (select from stepwell.step s
                             where s.run_id = d.run_id and s.step = d.step and s.item = d.item
                               and s.generation = d.generation and s.attempt = d.attempt
                               and s.status = 'waiting')",
    ),
    (
        "a parked job says on what it waits",
        "select run_id::text from stepwell.job
          where state in ('parked') and blocked_on ->> 'kind' is null",
    ),
    (
        "dedupe keys are held by runs that are not over",
        "select d.key from stepwell.dedupe d
          where not exists (select from stepwell.run r where r.id = d.run_id and r.finished_at is null)",
    ),
    (
        "no attempt is beyond its number",
        "select run_id || ' ' || name || ' ' || attempt || ' of ' || max_attempts
           from stepwell.step where max_attempts > 0 and attempt > max_attempts",
    ),
    (
        "the runs that did not complete are those that lists know of",
        "select id || ' is ' || status from stepwell.run r
          where status in ('failed', 'cancelled', 'timed_out')
            and not exists (select from stepwell.run_outcome o where o.run_id = r.id and o.status = r.status)
          union all
         select o.run_id || ' was ' || o.status from stepwell.run_outcome o
          where not exists (select from stepwell.run r where r.id = o.run_id and r.status = o.status)",
    ),
    (
        "a record stands as its run does",
        "select d.id || ' is ' || d.status || ', its run ' || coalesce(r.status::text, 'nowhere')
           from stepwell.record d left join stepwell.run r on r.id = d.run_id
          where d.run_id is not null
            and d.status is distinct from case r.status when 'pending' then 'processing'
                                               when 'completed' then 'processed' else 'failed' end",
    ),
    (
        "no row fell into a default partition",
        "select c.relname || ': ' || n from pg_class c
          cross join lateral (select (xpath('/row/c/text()', query_to_xml(
                 format('select count(*) as c from stepwell.%I', c.relname), false, true, '')))[1]::text::bigint) x(n)
          where c.relnamespace = 'stepwell'::regnamespace and c.relispartition
            and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' and n > 0",
    ),
];

/// Fails with every breach of every invariant.
pub(crate) async fn hold(database: &Database) {
    // One snapshot for all of them.
    let mut transaction = database.pool.begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read, read only")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let mut breaches = Vec::new();
    for (what, sql) in INVARIANTS {
        let found: Vec<Option<String>> = sqlx::query_scalar(AssertSqlSafe(*sql))
            .fetch_all(&mut *transaction)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        breaches.extend(
            found
                .into_iter()
                .map(|row| format!("{what}: {}", row.unwrap_or_default())),
        );
    }
    assert!(
        breaches.is_empty(),
        "in {}:\n{}",
        database.name,
        breaches.join("\n")
    );
}
