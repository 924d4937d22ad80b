"""The customer's Google account: consent, tokens, mail, calendar, and what Google tells us by itself.

    consent ── vault ── account      how the customer connects, and what is kept of it
       │
    tokens ── api ── http            access tokens for an hour each; calls that are repeated where that is safe
       │
    gmail, calendar ── *_tools       what the assistant can do, and what it may only propose
       │
    pushes ── incoming ── arrivals   "something changed", verified; what it was; the table of it
       │
    renewals                         watches and channels end after a week unless they are renewed
    integration                      all of it together, as routes and services see it

Nothing here polls. A runtime without a connected account opens no connection and loads no library for this.
"""
