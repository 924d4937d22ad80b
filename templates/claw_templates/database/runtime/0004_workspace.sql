-- Nothing that anybody wrote is lost by the next writer: what a file held before is kept for a while.

-- `folded` is the path without the difference between upper and lower case. Two paths that only differ in it would be
-- one file on many disks. The paths there were are ASCII, where lower() is the same as Python's casefold().
alter table workspace_files
    add column author text not null default 'seed' check (author in ('customer', 'agent', 'disk', 'seed')),
    add column folded text;
update workspace_files set folded = lower(path);
alter table workspace_files alter column folded set not null;
create unique index workspace_files_by_folded on workspace_files (folded);

-- `ended`: another content took its place, the file was deleted, or this text was written on the disk while the file
-- had already become another one, and never was the file's.
create table workspace_versions (
    id         bigint      generated always as identity primary key,
    path       text        not null,
    content    text        not null,
    etag       text        not null,
    author     text        not null,
    written_at timestamptz not null,
    ended      text        not null check (ended in ('replaced', 'deleted', 'lost')),
    ended_by   text        not null,
    ended_at   timestamptz not null
);
create index workspace_versions_by_path on workspace_versions (path, id desc);
