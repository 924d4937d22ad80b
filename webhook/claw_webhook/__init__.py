"""The webhook service: from a paid checkout to a ClawInstance, through everything that may become of a subscription.

    Stripe ──▶ receiving ──▶ inbox ──┐
    clocks, sweeps/, people ─▶ looks ┴▶ claims ──▶ fulfilment ──▶ customers, instances ──▶ the cluster
                                                       │                                        │
                                   mails/ ◀── outbox ◀─┴──────────────── following ◀────────────┘
                                     │
    customer ◀── front/ ◀────────────┘

What arrives is stored before it is answered, and what must leave is stored before it is sent, so a crash between any
two lines of this package loses nothing. Everything after the inbox may be repeated at will.

`front/` is what customers see, `console/` what the person who runs the service sees, `metered/` reports usage.
"""
