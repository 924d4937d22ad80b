-- What the webhook service remembers. Times are UTC; every row is written by one function of the module named above it.

-- inbox.py: every verified event, once, for ever. The primary key is what makes a second delivery harmless.
CREATE TABLE inbox (
    id           text PRIMARY KEY,
    type         text NOT NULL,
    subscription text,                      -- whom the event hints at; NULL: nothing is to be done about it
    payload      text NOT NULL,             -- the bytes that were signed
    received_at  timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'done', 'ignored', 'refused', 'dead')),
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    reason       text,                      -- of a refusal, of the last failure
    message      text,
    finished_at  timestamptz
);
CREATE INDEX inbox_due ON inbox (due_at) WHERE state = 'pending';
CREATE INDEX inbox_by_subscription ON inbox (subscription) WHERE state IN ('pending', 'refused', 'dead');
CREATE INDEX inbox_unsettled ON inbox (reason) WHERE state IN ('refused', 'dead');

-- customers.py: who pays, and what they subscribed to, as Stripe last told it.
CREATE TABLE customers (
    id         text PRIMARY KEY,
    email      text NOT NULL,
    name       text,
    company    text,
    timezone   text NOT NULL,
    locale     text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE subscriptions (
    id                   text PRIMARY KEY,
    customer             text REFERENCES customers, -- NULL until the first usable one is known
    status               text NOT NULL,
    plan                 text,
    price_ids            text[] NOT NULL,
    paid_until           timestamptz,
    cancel_at_period_end boolean NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL
);
CREATE INDEX subscriptions_by_customer ON subscriptions (customer);

-- What was entered at the checkout. It comes with one event only and is needed for every later look.
CREATE TABLE checkouts (
    subscription text PRIMARY KEY,
    details      text NOT NULL              -- JSON; not jsonb, which refuses a NUL that somebody typed
);

-- A row is here before its ClawInstance is in the cluster, so whoever sees the ClawInstance finds the row.
CREATE TABLE instances (
    name             text PRIMARY KEY,
    namespace        text NOT NULL,
    subscription     text NOT NULL UNIQUE REFERENCES subscriptions,
    requested_at     timestamptz NOT NULL,
    uid              text,                  -- of the ClawInstance last seen under this name
    url              text,
    secret_name      text,
    available_at     timestamptz,           -- first Ready=True of this uid
    available_seconds double precision,     -- from requested_at
    deleted_at       timestamptz
);

-- outbox.py: mails that must leave. One per cause and instance, whoever asks how often.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause        text NOT NULL,
    instance     text NOT NULL REFERENCES instances,
    instance_uid text NOT NULL,
    created_at   timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'sent', 'dropped', 'dead')),
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    reason       text,
    finished_at  timestamptz,
    UNIQUE (cause, instance_uid)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'pending';

-- links.py: one-time links. Several rows of one mail are the same link: a mail that was sent twice is used once.
CREATE TABLE key_links (
    token_sha256 text PRIMARY KEY,
    mail         bigint NOT NULL REFERENCES outbox,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX key_links_by_mail ON key_links (mail);
