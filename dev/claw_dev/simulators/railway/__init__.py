"""A stateful Railway: its public GraphQL API over HTTP, deployments that walk their states, domains that answer.

    records ── world ── pace                               what there is, and how slow and how contrary it is
                 │
             deployments ── life, sources                  what becomes of it without anybody asking
                 │
               edge ── running, stand_in, programs         domains, and what answers there
                 │
    request ── tokens, problems                            who asks, and how it is refused
                 │
    schema ── queries, rendering, pages, configuration     requests, executed against a part of the real schema
       └───── services, variables, domains, places         … the mutations
                 │
    protocol ── asked, limits, calls                       HTTP: 200 for nearly everything, and Cloudflare in front
                 │
    hand, control, picture                                 what people do by hand, and what tests look at

simulator.py puts it together. Where nobody knows what the real one does, this one does what is uglier.
"""
