"""The API of Claw: what instances and plans are, what things are called, and what the parts say to each other.

Everything here is pure. Operator, webhook service and runtime import it and never each other, so whatever two of
them must agree on has its one place in this package.
"""
