"""The Railway driver: start reading at `driver.py`."""

from claw_operator.external.railway.driver import RailwayDriver
from claw_operator.external.railway.options import RailwayOptions

__all__ = ["RailwayDriver", "RailwayOptions"]
