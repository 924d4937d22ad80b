"""The local stack: everything that Claw talks to, on one machine, for development, demonstration and tests."""
