"""A stateful Railway: its public GraphQL API over HTTP, deployments that walk their states, domains that answer.

    records ── world ── pace                               what there is, and how slow and how contrary it is
                 │
             deployments ── deploying, runtimes/           what becomes of it without anybody asking
                 │
    schema.graphql ── schema ── queries, rendering, pages  requests, executed against a part of the real schema
                 │    └─ services, settings, variables,
                 │       domains, places                   the mutations
             request ── tokens, problems                   who asks, and how it is refused
                 │
    protocol ── limits, calls                              HTTP: 200 for nearly everything, and Cloudflare in front
                 │
             control, hand, picture                        what people do by hand, and what tests look at

simulator.py puts it together. Where nobody knows what the real one does, this one does what is uglier.
"""
