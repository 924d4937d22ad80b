-- Agents, turns with tools, and what each day cost.

-- Those that existed were known by their conversations only.
create table agents (
    id           text        primary key,
    name         text,
    instructions text,
    model        text,
    created_at   timestamptz not null
);
insert into agents (id, created_at) select agent_id, min(created_at) from conversations group by agent_id;

-- `summary` stands for all messages up to `summarised_through`, which are kept for the customer but no longer read.
-- `flushed_through`: what was worth remembering up to there has been written into memory.
alter table conversations
    add column source             text   not null default 'chat' check (source in ('chat', 'heartbeat')),
    add column summary            text,
    add column summarised_through bigint,
    add column flushed_through    bigint,
    add column context_tokens     bigint not null default 0;

-- On an answer: what happened between question and answer, as messages of the Messages API; null when nothing did.
alter table messages add column transcript jsonb;

-- `tokens` is the room that a reservation holds for its answer, `needed` what its first call of the model takes at least:
-- that is counted when the reservation expires. `day` is the one on which the turn began, and is booked on.
alter table reservations
    add column tokens bigint not null default 0,
    add column needed bigint not null default 0,
    add column source text   not null default 'chat' check (source in ('chat', 'heartbeat')),
    add column day    date   not null default current_date;

-- One row a day (UTC), model and purpose. Cost in millionths of the currency's smallest unit; null where nobody told
-- prices. The model is `unknown` where a process died before it could tell.
create table usage_daily (
    day                date   not null,
    model              text   not null,
    purpose            text   not null check (purpose in ('chat', 'heartbeat', 'compaction', 'embedding')),
    messages           bigint not null default 0,
    calls              bigint not null default 0,
    input_tokens       bigint not null default 0,
    cache_write_tokens bigint not null default 0,
    cache_read_tokens  bigint not null default 0,
    output_tokens      bigint not null default 0,
    searches           bigint not null default 0,
    cost_micros        bigint,
    primary key (day, model, purpose)
);

-- A question that was sent with an Idempotency-Key. With a reply it was answered. Without, it is being answered while
-- `begins_until` is not over or `turn` has a reservation that lives; else whoever answered it died.
create table idempotency_keys (
    key_sha256     text        primary key,
    request_sha256 text        not null,
    turn           uuid        not null,
    reply          json,
    begins_until   timestamptz not null,
    created_at     timestamptz not null
);
create index idempotency_keys_by_time on idempotency_keys (created_at);

-- What the assistant would do if the customer says so. `code` is what they may write instead of pressing a button.
create table proposals (
    id              uuid        primary key,
    conversation_id uuid        not null references conversations on delete cascade,
    agent_id        text        not null,
    tool            text        not null,
    input           jsonb       not null,
    summary         text        not null,
    code            text        not null,
    created_at      timestamptz not null,
    expires_at      timestamptz not null,
    outcome         text        check (outcome in ('done', 'failed', 'declined')),
    decided_at      timestamptz
);
create index proposals_by_conversation on proposals (conversation_id, created_at);
