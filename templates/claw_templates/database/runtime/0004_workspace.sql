-- Every version of a file that is no longer the current one, so that nothing anybody wrote is lost by the next writer.

alter table workspace_files add column author text not null default 'system'
    check (author in ('customer', 'assistant', 'disk', 'system'));

create table workspace_versions (
    id         bigint      generated always as identity primary key,
    path       text        not null,
    content    text,
    etag       text        not null,
    author     text        not null,
    written_at timestamptz not null,
    replaced_at timestamptz not null,
    replaced_by text       not null
);
create index workspace_versions_by_path on workspace_versions (path, id desc);
