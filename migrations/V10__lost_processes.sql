-- What is needed so that a lost process stops nobody: which sessions are a worker's, and which runs were in
-- the hands of workers that died.

-- The sessions of its process have the application_name 'stepwell <session>': the rescue ends those that still
-- hold locks when the worker is dead. Null for a worker of an older version.
alter table stepwell.worker add column session uuid;

-- Runs that were driven by a worker that died, and have made no progress since, and attempts that one made: they are claimed apart from the
-- others, few at a time, so that one that kills its worker takes few others with it. As a rule there is none.
create index job_suspect on stepwell.job (queue, rank, run_id) where deaths > 0 and state in ('ready', 'timed');
create index detached_suspect on stepwell.detached (lane, due_at) where deaths > 0 and worker_id is null;
