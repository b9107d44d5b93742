drop index stepwell.run_queue;
drop index stepwell.run_labels;
drop trigger run_turned on stepwell.run;
drop function stepwell.run_turned;
drop table stepwell.record_route;
drop table stepwell.record;
drop table stepwell.run_outcome;
drop index stepwell.job_apart, stepwell.job_leased;
drop table stepwell.queue;
