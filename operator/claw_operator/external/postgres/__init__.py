"""The postgres driver: start reading at `driver.py`."""

from claw_operator.external.postgres.driver import PostgresDriver, connection_url

__all__ = ["PostgresDriver", "connection_url"]
