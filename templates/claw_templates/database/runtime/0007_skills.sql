-- What the customer chose about skills that are folders. Apart from `skills`, which are those that plans list.

create table skill_folders (
    name       text        primary key,
    enabled    boolean     not null,
    updated_at timestamptz not null
);
