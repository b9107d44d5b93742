-- The roles stay: they belong to the whole server, and other databases may use them.
drop function stepwell.grant_roles();
-- What they were granted on the tables of other versions.
do $$
declare
    grantee text;
begin
    for grantee in
        select rolname from pg_roles where rolname in ('stepwell_reader', 'stepwell_operator', 'stepwell_app')
    loop
        execute format('revoke all on all tables in schema stepwell from %I', grantee);
        execute format('revoke all on all functions in schema stepwell from %I', grantee);
        execute format('revoke all on schema stepwell from %I', grantee);
    end loop;
end $$;
