"""The local driver: start reading at `driver.py`."""

from claw_operator.external.local.driver import LocalDriver

__all__ = ["LocalDriver"]
