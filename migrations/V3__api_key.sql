-- Keys of the API. A key has 256 random bits, so its plain SHA-256 cannot be searched for: a slow
-- hash protects passwords that people choose, and here it would only slow every request.
create table stepwell.api_key (
    id           uuid primary key,
    name         text not null,
    role         text not null check (role in ('viewer', 'operator', 'admin')),
    prefix       text not null,         -- how the key begins, to tell keys apart
    hash         bytea not null check (octet_length(hash) = 32),
    revision     bigint not null default 1,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz            -- within a minute
);
create unique index api_key_hash on stepwell.api_key (hash);
-- Audit records name the key; a revoked one frees its name.
create unique index api_key_name on stepwell.api_key (name) where revoked_at is null;
