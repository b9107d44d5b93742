-- A worker says that it lives, how many runs it holds, and how fast it takes them up.
update stepwell.worker set seen_at = now(), running = $2, rates = $3::text::json
where id = $1 and status in ('alive', 'draining')
returning epoch, status = 'draining' as "draining!"
