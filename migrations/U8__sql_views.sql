drop statistics stepwell.run_outcome_status;
drop view stepwell.v_audit, stepwell.v_schedules, stepwell.v_blocked, stepwell.v_queues, stepwell.v_workers, stepwell.v_steps, stepwell.v_failed, stepwell.v_live, stepwell.v_runs;
