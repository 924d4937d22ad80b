-- When the assistant looks at its checklist without being asked, and what came of it.

create table heartbeat_settings (
    singleton  boolean     primary key default true check (singleton),
    document   jsonb       not null,
    updated_at timestamptz not null
);

-- One row a moment that was due: whoever inserts it has it, be there one process or two.
create table heartbeat_runs (
    due_at      timestamptz primary key,
    started_at  timestamptz not null,
    ended_at    timestamptz,
    outcome     text,
    detail      text,
    conversation_id uuid
);
