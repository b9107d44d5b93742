-- Takes due deliveries, a few of each lane. Lanes are found by jumping from one to the next in the
-- index, so that one with a million rows costs as much as one with a single row; in an order of
-- chance, so that none is always last. $1 and $2: lanes with deliveries in flight here, and how many
-- more each takes; $3: how many of a lane without any; $4: how many in all; $5: seconds of lease. An attempt
-- counts when its outcome is known: the answer to this may be lost, and then none was made.
with recursive lanes as (
    (select lane from stepwell.delivery where status = 'pending' order by lane limit 1)
    union all
    select (select d.lane from stepwell.delivery d
            where d.status = 'pending' and d.lane > l.lane
            order by d.lane limit 1)
    from lanes l
    where l.lane is not null
),
open as (
    select l.lane, coalesce(b.room, $3::int) as room
    from lanes l
    left join (select unnest($1::uuid[]) as lane, unnest($2::int[]) as room) b on b.lane = l.lane
    left join stepwell.subscription s on s.id = l.lane
    where l.lane is not null and coalesce(b.room, $3) > 0 and (s.id is null or s.status = 'active')
    order by random()
),
due as (
    select d.id
    from open o
    cross join lateral (
        select p.id from stepwell.delivery p
        where p.lane = o.lane and p.status = 'pending' and p.next_at <= now()
        order by p.next_at
        limit o.room
        for update skip locked
    ) d
    limit $4
),
taken as (
    update stepwell.delivery d
    set next_at = now() + make_interval(secs => $5), lease = d.lease + 1
    from due
    where d.id = due.id
    returning d.id, d.lane, d.subscription_id, d.event_id, d.callback_url, d.attempts, d.lease, d.expires_at
)
select t.id as "id!", t.lane as "lane!", t.subscription_id, coalesce(s.url, t.callback_url) as "url!",
       t.attempts as "attempts!", t.lease as "lease!", t.expires_at as "expires_at!", e.id as event_id, e.type as kind, e.source,
       e.subject, e.at, e.data as "data: Json<Box<RawValue>>", e.traceparent, s.secret as "secret?",
       case when s.old_secret_until > now() then s.old_secret end as old_secret
from taken t
join stepwell.event e on e.id = t.event_id
left join stepwell.subscription s on s.id = t.subscription_id
