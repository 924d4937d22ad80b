"""The Neon driver: start reading at `driver.py`."""

from claw_operator.external.neon.driver import NeonDriver
from claw_operator.external.neon.options import Isolation, NeonOptions

__all__ = ["Isolation", "NeonDriver", "NeonOptions"]
