"""A stateful Stripe: one account in memory, the part of its HTTP API that Claw uses, and signed webhooks.

    records ── account ── catalogue, customers, checkout,      what the account holds, and what happens to it
                  │       subscriptions, invoices, lifecycle
                  │
              rendering ── expansion, listing                  records as the JSON of one API version
                  │
    params ───── api ───── protocol, idempotency               requests of the official client library
                  │
              events ───── delivery, signature                 what happened, brought to the webhook service
                  │
              control, payment_page                            what customers, time and the network do

simulator.py puts it together; controls.py is a client of `/_sim/`. The judge is the `stripe` library:
tests/contract/test_stripe_simulator.py.
"""
