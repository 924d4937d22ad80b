-- The whole life of a subscription: when it is looked at again, what became of it and why, what was mailed about it.

-- An event hints at a subscription (sub_…) or at all those of a customer (cus_…).
ALTER TABLE inbox RENAME COLUMN subscription TO subject;
ALTER INDEX inbox_by_subscription RENAME TO inbox_by_subject;
ALTER TABLE inbox ADD COLUMN source text NOT NULL DEFAULT 'delivery' CHECK (source IN ('delivery', 'sweep'));
CREATE INDEX inbox_by_arrival ON inbox (received_at);
-- What may be emptied: ids are kept for ever, payloads of settled events are not. Pending rows do not pay for it.
CREATE INDEX inbox_with_payload ON inbox (received_at) WHERE payload <> '' AND state IN ('done', 'ignored');

-- looks.py: subscriptions that are looked at without an event: a clock ran out, the sweep found something, somebody
-- asks. One row each, at the earliest moment that anybody wished for.
CREATE TABLE looks (
    subject  text PRIMARY KEY,
    due_at   timestamptz NOT NULL,
    why      text NOT NULL,                  -- clock, sweep, checkout, customer, person
    asked    bigint NOT NULL DEFAULT 1,      -- how often; a look that is asked for again while it goes on is repeated
    attempts integer NOT NULL DEFAULT 0,
    reason   text                            -- of the last failure or refusal
);
CREATE INDEX looks_due ON looks (due_at);
-- What was stored before has no standing yet: everybody is looked at once.
INSERT INTO looks (subject, due_at, why) SELECT id, now(), 'upgrade' FROM subscriptions;

-- customers.py
ALTER TABLE customers ADD COLUMN erased_at timestamptz;
ALTER TABLE subscriptions
    ADD COLUMN payer         text,           -- Stripe's id of the customer, known before one can be served
    ADD COLUMN standing      text,           -- billing.Standing
    ADD COLUMN since         timestamptz,    -- when it got there
    ADD COLUMN grace_until   timestamptz,    -- past due: until then it is served
    ADD COLUMN trial_end     timestamptz,
    ADD COLUMN ended_at      timestamptz,
    ADD COLUMN deletion_at   timestamptz,    -- announced to the customer; NULL whenever somebody pays
    ADD COLUMN warned_at     timestamptz,    -- when the last warning before that moment was put into the outbox
    ADD COLUMN hold          text;           -- why nothing may be deleted until a person decides
UPDATE subscriptions SET payer = customer;
CREATE INDEX subscriptions_by_payer ON subscriptions (payer);
ALTER TABLE instances
    ADD COLUMN spec          text,           -- the last one applied, as JSON
    ADD COLUMN ready_reason  text,           -- the STATUS column
    ADD COLUMN keep_until    timestamptz,    -- by the annotation; 9999-12-31 where it cannot be read
    ADD COLUMN usage         text;           -- status.usage, as JSON
-- What was applied until now follows from the customer and the plan alone.
UPDATE instances SET spec = json_build_object(
        'customer', json_strip_nulls(json_build_object(
            'id', customers.id, 'email', email, 'name', customers.name, 'company', company, 'timezone', timezone,
            'locale', locale)),
        'planRef', json_build_object('name', plan),
        'state', CASE WHEN status IN ('unpaid', 'paused') THEN 'Suspended' ELSE 'Running' END)::text
    FROM subscriptions JOIN customers ON customers.id = subscriptions.customer
    WHERE subscriptions.id = instances.subscription AND plan IS NOT NULL;
-- A customer who comes back brings another subscription to the same instance.
ALTER TABLE instances ALTER COLUMN subscription DROP NOT NULL;

-- billing_log.py: who did what to which subscription, and why. Ids only, so that it outlives an erasure.
CREATE TABLE billing_log (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    actor        text NOT NULL,              -- stripe:evt_…, clock, sweep, person:<name>
    subscription text,
    customer     text,
    action       text NOT NULL,
    before       text,                       -- JSON
    after        text,                       -- JSON
    why          text NOT NULL
);
CREATE INDEX billing_log_by_subscription ON billing_log (subscription, id);
CREATE INDEX billing_log_by_customer ON billing_log (customer, id);
CREATE FUNCTION billing_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'billing_log is append-only'; END $$;
CREATE TRIGGER billing_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_log
    FOR EACH STATEMENT EXECUTE FUNCTION billing_log_is_append_only();

-- outbox.py: one mail for each cause and occasion.
ALTER TABLE outbox ADD COLUMN occasion text;
UPDATE outbox SET occasion = instance_uid;
ALTER TABLE outbox ALTER COLUMN occasion SET NOT NULL;
ALTER TABLE outbox DROP CONSTRAINT outbox_cause_instance_uid_key;
ALTER TABLE outbox ADD CONSTRAINT outbox_cause_occasion_key UNIQUE (cause, occasion);
ALTER TABLE outbox ALTER COLUMN instance DROP NOT NULL;
ALTER TABLE outbox ALTER COLUMN instance_uid DROP NOT NULL;
ALTER TABLE outbox ADD COLUMN customer text REFERENCES customers;
UPDATE outbox SET customer = subscriptions.customer
    FROM instances JOIN subscriptions ON subscriptions.id = instances.subscription
    WHERE instances.name = outbox.instance;
ALTER TABLE outbox ADD COLUMN details text NOT NULL DEFAULT '{}';  -- JSON: what the template needs beside the customer

-- passes.py: what lets somebody in. Only the SHA-256 is stored.
CREATE TABLE passes (
    token_sha256 text PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('sign_in', 'session', 'export')),
    customer     text NOT NULL REFERENCES customers,
    instance     text REFERENCES instances,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX passes_by_customer ON passes (customer);

-- metering.py: usage on its way to Stripe. A row is written before its event is sent, so a repetition is the same event.
CREATE TABLE meter_events (
    identifier   text PRIMARY KEY,           -- what Stripe tells repetitions by
    instance     text NOT NULL REFERENCES instances,
    customer     text NOT NULL,
    event_name   text NOT NULL,
    period_start timestamptz NOT NULL,
    from_value   bigint NOT NULL,
    to_value     bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'sent', 'dead')),
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL,
    reason       text,
    UNIQUE (instance, event_name, period_start, from_value)
);
CREATE INDEX meter_events_due ON meter_events (due_at) WHERE state = 'pending';

-- sweep.py: one row.
CREATE TABLE sweeps (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    began_at    timestamptz,                 -- of the last one that came to its end
    ended_at    timestamptz,
    events_from timestamptz                  -- every event of Stripe's before this moment is stored
);
