-- The schema of one instance's database: nobody else's rows are ever in it.
-- PostgreSQL 15 to 18, no extension, no right beyond owning the database.

-- What the operator put in. One row, so that a restarted runtime needs no operator.
create table configuration (
    singleton    boolean     primary key default true check (singleton),
    instance_uid text        not null,
    revision     text        not null,
    document     json        not null,
    updated_at   timestamptz not null
);

create table conversations (
    id         uuid        primary key,
    agent_id   text        not null,
    title      text        not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index conversations_by_update on conversations (updated_at desc, id desc);
create index conversations_by_agent on conversations (agent_id);

-- A turn is a question and its answer; both rows or none. `turn` is the reservation that paid for it, so a turn that
-- is recorded twice, because the answer to the first commit was lost, is recorded once.
create table messages (
    id              bigint      generated always as identity primary key,
    conversation_id uuid        not null references conversations on delete cascade,
    turn            uuid        not null,
    role            text        not null check (role in ('user', 'assistant')),
    content         text        not null,
    created_at      timestamptz not null,
    unique (turn, role)
);
create index messages_by_conversation on messages (conversation_id, id);

-- `words` is written by the runtime and not generated: the configuration's name is text here, because a regconfig
-- column would block pg_upgrade, and a cast from text is not immutable.
create table memories (
    id         uuid        primary key,
    content    text        not null,
    tags       text[]      not null default '{}',
    language   text        not null default 'simple',
    words      tsvector    not null,
    created_at timestamptz not null
);
create index memories_by_words on memories using gin (words);
create index memories_by_time on memories (created_at desc, id desc);

-- One row a month. `version` grows with each change, so that answers read out of order do not turn time back.
create table usage (
    period_start  timestamptz primary key,
    messages_used bigint      not null default 0 check (messages_used >= 0),
    input_tokens  bigint      not null default 0,
    output_tokens bigint      not null default 0,
    api_calls     bigint      not null default 0,
    version       bigint      not null default 1
);

-- Messages that are counted but not answered yet. Whoever settles or gives back removes the row; what a crash leaves
-- behind expires, and its message is given back by the next reservation.
create table reservations (
    id           uuid        primary key,
    agent_id     text        not null,
    period_start timestamptz not null references usage,
    expires_at   timestamptz not null
);
create index reservations_by_expiry on reservations (expires_at);

create table api_calls (
    day   date   primary key,
    calls bigint not null
);

-- What the customer chose through the API, which comes after the choices in the ClawInstance.
create table skills (
    name       text        primary key,
    enabled    boolean     not null,
    updated_at timestamptz not null
);

create table workspace_files (
    path       text        primary key,
    content    text        not null,
    etag       text        not null,
    updated_at timestamptz not null
);
