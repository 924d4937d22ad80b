-- The customer's Google account. What gives access is encrypted with a key that is not in this database.

-- Somebody has gone to Google's consent page. Of the state only a hash is kept: who reads this table cannot come back
-- in their place.
create table google_authorizations (
    state_sha256    text        primary key,
    verifier_secret bytea       not null,
    redirect_uri    text        not null,
    scopes          text[]      not null,
    expires_at      timestamptz not null
);

-- Access tokens live for an hour and are never written down.
create table google_account (
    singleton            boolean     primary key default true check (singleton),
    id                   uuid        not null,
    address              text        not null,
    scopes               text[]      not null,
    refresh_token_secret bytea       not null,
    connected_at         timestamptz not null,
    problem              text,
    history_id           bigint,
    watch_expires_at     timestamptz
);

-- Where Calendar tells us of changes. Of the token that it sends along only a hash is kept.
create table google_channels (
    id                  uuid        primary key,
    resource_id         text        not null,
    calendar_id         text        not null,
    token_secret_sha256 text        not null,
    message_number      bigint      not null default 0,
    sync_token          text,
    expires_at          timestamptz not null
);

-- What came in, for the assistant's next look. `external_id` keeps it once. The summary is a stranger's words.
create table arrivals (
    id          bigint      generated always as identity primary key,
    source      text        not null check (source in ('gmail', 'calendar')),
    external_id text        not null,
    summary     text        not null,
    arrived_at  timestamptz not null,
    seen_at     timestamptz,
    unique (source, external_id)
);
create index arrivals_by_time on arrivals (arrived_at);
