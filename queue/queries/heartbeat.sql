-- A worker says that it lives.
update stepwell.worker set seen_at = now()
where id = $1 and status in ('alive', 'draining')
returning epoch, status = 'draining' as "draining!"
