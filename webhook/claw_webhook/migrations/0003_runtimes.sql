-- What runtimes and Google say through this service: whose mailbox it is, and how many mails a runtime has asked for.

-- runtimes.py: Google tells of a mailbox, and this says which instance reads it. The address itself is not kept.
CREATE TABLE mailboxes (
    address_sha256 text PRIMARY KEY,
    instance       text NOT NULL REFERENCES instances ON DELETE CASCADE,
    connected_at   timestamptz NOT NULL
);
CREATE INDEX mailboxes_by_instance ON mailboxes (instance);
CREATE INDEX instances_by_uid ON instances (uid) WHERE deleted_at IS NULL;

-- runtime_mails.py: one row a day (UTC) and instance.
CREATE TABLE runtime_mails (
    instance text NOT NULL REFERENCES instances ON DELETE CASCADE,
    day      date NOT NULL,
    mails    integer NOT NULL,
    PRIMARY KEY (instance, day)
);

-- passes.py: the address by which the customer has signed in. Whoever pays may have typed somebody else's, and a runtime
-- writes mails only to one that is the customer's own.
ALTER TABLE customers ADD COLUMN proven_email text;
UPDATE customers SET proven_email = email
    WHERE EXISTS (SELECT FROM passes WHERE passes.customer = customers.id AND kind = 'sign_in' AND used_at IS NOT NULL);
