-- Ends the sessions of a silent worker's process that are in the middle of something: one that is frozen in a COPY
-- or while it is sent rows is out of reach of the time limits, and holds the worker's row. A process that is only
-- silent has no transaction that is so old. $1: the worker, $2: the least age in seconds, $3: milliseconds to wait
-- for the end of each.
select count(pg_terminate_backend(a.pid, $3)) as "ended!"
from stepwell.worker w
join pg_stat_activity a on a.application_name = 'stepwell ' || w.session
where w.id = $1 and a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()
  and a.xact_start < clock_timestamp() - make_interval(secs => $2)
