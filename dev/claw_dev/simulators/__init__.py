"""Servers that speak the protocols of what we cannot run ourselves. The stack uses them, and so do the tests.

Each simulator is a package: records and state that know nothing of HTTP, a protocol that the provider's own client
library cannot tell from the real one, and control endpoints under `/_sim/` that do what a person or the outside world
would do. Clock and random source are parameters, faults are asked for one by one, nothing is random by itself.
"""
