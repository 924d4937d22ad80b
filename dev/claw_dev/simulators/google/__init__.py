"""A stand-in for Google, as far as an assistant needs it: OAuth 2.0, Gmail, Calendar, and the pushes of both.

One person with one mailbox and some calendars. Served from one address, where the real one has five; the paths are the
same.

    world ── mailbox, agenda         what there is: the person's consent and tokens, mails with history, events
      │
    oauth, gmail_api, calendar_api   the routes, whose shapes are those of the discovery documents
      │
    protocol ── problems             bearer tokens and scopes, rate limits, errors as Google words them
    signing ── pushing               what Google signs, and what it sends by itself
    control                          `/_sim/`: a mail arrives, the person says no, access is taken back

The judge is a table of facts of the discovery documents: tests/contract/google_facts.py.
"""
