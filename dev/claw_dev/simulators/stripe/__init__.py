"""A stateful Stripe: one account in memory, the part of its HTTP API that Claw uses, and signed webhooks.

    records ── account                                         what the account holds, and what time it is
                  │
              catalogue, coupons, customers, checkout,         what requests ask for
              subscriptions, invoices, portal, metering
                  │
              lifecycle, repricing, schedules, renewal         what becomes of subscriptions, by wish and by time
              drafting, collection, standing                   what they are billed, whether it is paid, what follows
                  │
              rendering ── expansion, listing                  records as the JSON of one API version
                  │
    params ─ operations ─ api ── protocol, idempotency         requests of the official client library
                  │
              events ───── delivery, signature                 what happened, brought to the webhook service
                  │
              control, payment_page, portal_page               what customers and the network do
              advancing, clocks                                time

simulator.py puts it together; controls.py is a client of `/_sim/`. The judges are the `stripe` library and Stripe's
own description of its API: tests/contract/test_stripe_*.py.
"""
