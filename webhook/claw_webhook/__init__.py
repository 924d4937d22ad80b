"""The webhook service: from a paid checkout to a ClawInstance, and from the instance's readiness to the welcome mail.

    Stripe ──▶ receiving ──▶ inbox ──▶ fulfilment ──▶ customers, instances ──▶ the cluster
                                                                                   │
    customer ◀── key_pages ◀── links ◀── mail ◀── sending ◀── outbox ◀── following ◀┘

What arrives is stored before it is answered, and what must leave is stored before it is sent, so a crash between any
two lines of this package loses nothing. Everything after the inbox may be repeated at will.
"""
