-- The customer's Google account. Tokens are encrypted with a key that is not in this database.

create table google_authorizations (
    state        text        primary key,
    verifier_secret text     not null,
    scopes       text[]      not null,
    created_at   timestamptz not null,
    expires_at   timestamptz not null
);

create table google_account (
    singleton     boolean     primary key default true check (singleton),
    address       text        not null,
    scopes        text[]      not null,
    tokens_secret bytea       not null,
    connected_at  timestamptz not null,
    problem       text,
    gmail_history_id      text,
    gmail_watch_expires_at timestamptz
);

create table google_channels (
    id            uuid        primary key,
    resource_id   text        not null,
    calendar_id   text        not null,
    token_secret  text        not null,
    sync_token    text,
    expires_at    timestamptz not null
);

-- What came in, for the assistant's next look. `external_id` keeps it once.
create table arrivals (
    id          bigint      generated always as identity primary key,
    source      text        not null check (source in ('gmail', 'calendar')),
    external_id text        not null,
    summary     text        not null,
    arrived_at  timestamptz not null,
    seen_at     timestamptz,
    unique (source, external_id)
);
