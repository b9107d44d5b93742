-- Workers that have been silent for too long and are not marked dead yet, the longest silent first. A server
-- that was restarted has heard nobody for a while, so its own age counts too. $1: the rescuer, $2: how many.
select id from stepwell.worker
where freed_at is null and status in ('alive', 'draining') and id <> $1
  and seen_at < now() - make_interval(secs => dead_after_ms / 1000.0)
  and pg_postmaster_start_time() < now() - make_interval(secs => dead_after_ms / 1000.0)
order by seen_at
limit $2
