"""A stateful Stripe: one account in memory, the part of its HTTP API that Claw uses, and signed webhooks.

    records ── account ── catalogue, customers, checkout, billing     what the account holds and what happens to it
                  │
              rendering ── expansion, listing                         records as the JSON of an API version
                  │
    params ──── api ── protocol (keys, versions, idempotency)         requests of the official client library
                  │
              delivery ── endpoint's signature, retries               events to the webhook service
                  │
              control                                                 `/_sim/`: what customers and time would do

The judge is the `stripe` library: tests/contract/test_stripe_simulator.py.
"""
