-- A worker says that it lives, how many runs it holds, how fast it takes them up, and how wrong its host's clock is;
-- and hears what time it is.
update stepwell.worker set seen_at = now(), running = $2, rates = $3::text::json, clock_skew_ms = $4
where id = $1 and status in ('alive', 'draining')
returning epoch, status = 'draining' as "draining!", clock_timestamp() as "at!"
