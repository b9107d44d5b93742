-- The schema itself stays: it holds the history of migrations.
drop table stepwell.run, stepwell.step, stepwell.audit, stepwell.job, stepwell.inbox, stepwell.dedupe,
    stepwell.idempotency, stepwell.worker, stepwell.workflow_version, stepwell.workflow, stepwell.agent;
drop function stepwell.make_partitions(int), stepwell.detach_day(date, text[]), stepwell.audit_seal_table(text), stepwell.audit_refuse(),
    stepwell.uuid7_bound(timestamptz);
drop type stepwell.run_status, stepwell.step_status, stepwell.job_state;
