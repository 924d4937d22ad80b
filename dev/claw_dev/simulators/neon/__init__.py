"""A stateful Neon: one organisation in memory, the part of its REST API that Claw uses, as ugly as the real one.

    records ── shelf ── world ── projects, branches,       what exists, and what happens to it
                          │      endpoints, credentials
                          │
                        chains ── storage                  operations take time, one after the other per project;
                          │         └ postgres             with a real server, branches are real databases
                          │
    requests, sizes ──── api ──── rendering, paging        HTTP as in Neon's own OpenAPI description
                          │
             protocol, keys, limits, calls                 keys, rate limits, faults, the log of it all
                          │
                       control                             `/_sim/`: what people, time and the network do

simulator.py puts it together. The judge is Neon's OpenAPI document: tests/contract/test_neon_conformance.py.
"""
