-- One index over memories and the workspace's files, without an extension; vectors come where pgvector is there.

-- `thread` and `place`: a conversation that the memory is a turn of, and the how-manieth. `indexed` is the version of
-- what made its chunks; memories that are older than the index have none yet, and get theirs when it is first used.
drop index memories_by_words;
alter table memories
    drop column words,
    drop column language,
    add column agent_id   text,
    add column origin     text        not null default 'customer' check (origin in ('customer', 'assistant', 'import')),
    add column thread     text,
    add column place      integer     not null default 0,
    add column metadata   jsonb       not null default '{}',
    add column updated_at timestamptz,
    add column indexed    text;
update memories set updated_at = created_at;
alter table memories alter column updated_at set not null;
create index memories_by_thread on memories (thread, place) where thread is not null;

-- What was done to a memory. `content` is what it held until then; it goes when the memory is forgotten.
create table memory_history (
    id        bigint      generated always as identity primary key,
    memory_id uuid        not null,
    event     text        not null check (event in ('created', 'superseded', 'deleted')),
    content   text,
    author    text        not null,
    at        timestamptz not null
);
create index memory_history_by_memory on memory_history (memory_id, id);

-- A chunk is of a memory or of a file. `thread` and `place` tell its neighbours. A null agent is everybody's. `words`
-- are stems, once for every time they occur; `dated` is what makes it fade. A chunk is larger than what PostgreSQL
-- likes in a row: without the parameter its words would be unpacked for every question that comes near it.
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
    dated      timestamptz,
    embedded   boolean     not null default false,
    check ((memory_id is null) <> (path is null))
) with (toast_tuple_target = 8160);
create index memory_chunks_by_words on memory_chunks using gin (words) with (fastupdate = off);
create index memory_chunks_by_place on memory_chunks (thread, place);
create index memory_chunks_by_memory on memory_chunks (memory_id);
create index memory_chunks_by_path on memory_chunks (path);
create index memory_chunks_to_embed on memory_chunks (id) where not embedded;

-- How many chunks have a word, for its weight; and its trigrams, for words that are misspelt.
create table memory_words (
    word     text   primary key,
    chunks   bigint not null,
    trigrams text[] not null
) with (fillfactor = 70);
create index memory_words_by_trigrams on memory_words using gin (trigrams);

-- `etag` of each file as it was indexed, and the version of what made the chunks.
create table memory_files (
    path    text primary key,
    etag    text not null,
    version text not null
);

-- Sums over all chunks, and the model that made the vectors.
create table memory_index (
    singleton        boolean primary key default true check (singleton),
    chunks           bigint  not null default 0,
    length           bigint  not null default 0,
    vector_model     text,
    vector_dimension integer
);
insert into memory_index default values;

-- The stem of a word. A stop word, of which a dictionary leaves nothing, is its own.
create function memory_stem(word text, dictionary text) returns text language sql stable
return coalesce((ts_lexize(dictionary::regdictionary, word))[1], word);
