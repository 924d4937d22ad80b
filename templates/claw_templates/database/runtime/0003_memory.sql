-- One index over memories and the workspace's files, without an extension; vectors come where pgvector is there.

alter table memories
    add column agent_id      text,
    add column origin        text  not null default 'customer' check (origin in ('customer', 'assistant', 'import')),
    add column thread        text,
    add column metadata      jsonb not null default '{}',
    add column superseded_by uuid  references memories on delete set null,
    add column superseded_at timestamptz;

create table memory_history (
    id        bigint      generated always as identity primary key,
    memory_id uuid        not null,
    event     text        not null check (event in ('created', 'superseded', 'deleted')),
    content   text,
    author    text        not null,
    at        timestamptz not null
);
create index memory_history_by_memory on memory_history (memory_id, id);

-- A chunk is of a memory or of a file. `thread` and `place` tell its neighbours. A null agent is everybody's.
create table memory_chunks (
    id         bigint      generated always as identity primary key,
    memory_id  uuid        references memories on delete cascade,
    path       text,
    agent_id   text,
    thread     text        not null,
    place      integer     not null,
    first_line integer,
    last_line  integer,
    content    text        not null,
    words      tsvector    not null,
    length     integer     not null,
    dated      date,
    created_at timestamptz not null,
    check ((memory_id is null) <> (path is null))
);
create index memory_chunks_by_words on memory_chunks using gin (words);
create index memory_chunks_by_place on memory_chunks (thread, place);
create index memory_chunks_by_memory on memory_chunks (memory_id);
create index memory_chunks_by_path on memory_chunks (path);

-- How many chunks have a word, and the word's trigrams: for its weight, and for words that are misspelt.
create table memory_words (
    word     text   primary key,
    chunks   bigint not null,
    trigrams text[] not null
);
create index memory_words_by_trigrams on memory_words using gin (trigrams);

-- `etag` of each file as it was indexed, and the version of what made the chunks.
create table memory_files (
    path    text primary key,
    etag    text not null,
    version text not null
);
create table memory_index (
    singleton boolean primary key default true check (singleton),
    chunks    bigint  not null default 0,
    length    bigint  not null default 0,
    version   text    not null default ''
);
insert into memory_index default values;
