-- When the assistant looks at its checklist without being asked, and what came of it.

create table heartbeat_settings (
    singleton      boolean     primary key default true check (singleton),
    document       jsonb       not null,
    webhook_secret text,
    updated_at     timestamptz not null
);

-- One row a moment that was due: whoever inserts it has it, be there one process or two. `ways` are those in which the
-- news still has to be told; `problem` says why it could not be.
create table heartbeat_runs (
    due_at          timestamptz primary key,
    cause           text        not null check (cause in ('time', 'arrival', 'customer')),
    started_at      timestamptz not null,
    lease_until     timestamptz not null,
    ended_at        timestamptz,
    outcome         text        check (outcome in ('told', 'quiet', 'skipped', 'failed')),
    reason          text,
    said            text,
    ways            text[]      not null default '{}',
    problem         text,
    conversation_id uuid
);
-- At most one goes on. What a crash left going on is ended by the next one, when its lease is over.
create unique index heartbeat_runs_going_on on heartbeat_runs ((true)) where ended_at is null;
create index heartbeat_runs_told on heartbeat_runs (due_at) where outcome = 'told';
