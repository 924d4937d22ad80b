"""The webhook service: from a paid checkout to a ClawInstance, and from the instance's readiness to the welcome mail.

    POST /webhooks/stripe ──▶ inbox ──▶ fulfilment ──▶ customers database, ClawInstance
                                                                                │ watch
              key page ◀── one-time link ◀── mail ◀── outbox ◀── arrival ◀──────┘

What arrives is stored before it is answered, and what must leave is stored before it is sent, so a crash between any
two lines of this package loses nothing. Everything after the inbox may be repeated at will.
"""
