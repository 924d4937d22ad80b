"""What is told of a database that is away, and the order of its migrations."""

import psycopg
import pytest

from claw_runtime.database import is_refusal, reason
from claw_runtime.migrations import migrations


def test_migrations_are_numbered_and_none_is_missing() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            psycopg.OperationalError(
                'connection failed: connection to server at "db.internal", port 5432 failed: FATAL:  '
                'password authentication failed for user "claw-abc"'
            ),
            "FATAL:  password authentication failed for user …",
        ),
        (
            psycopg.OperationalError(
                'connection failed: connection to server at "10.0.0.1", port 1 failed: Connection refused\n\tIs the '
                "server running on that host?"
            ),
            "Connection refused",
        ),
        (
            psycopg.OperationalError("failed to resolve host 'secret.example': [Errno -2] Name or service not known"),
            "failed to resolve host …: [Errno -2] Name or service not known",
        ),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_why_the_database_is_away_is_told_without_names(error: Exception, told: str) -> None:
    assert reason(error) == told


@pytest.mark.parametrize(
    ("error", "refuses"),
    [
        (psycopg.OperationalError('FATAL:  password authentication failed for user "claw-abc"'), True),
        (psycopg.OperationalError("ERROR:  password authentication failed for user 'neondb_owner'"), True),
        (psycopg.OperationalError('FATAL:  SASL authentication failed for user "x"'), True),
        (psycopg.OperationalError('FATAL:  role "claw-abc" does not exist'), True),
        (psycopg.OperationalError('FATAL:  role "claw-abc" is not permitted to log in'), True),
        (psycopg.OperationalError('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "x"'), True),
        (psycopg.errors.InvalidPassword("with its SQLSTATE"), True),
        (psycopg.errors.InvalidAuthorizationSpecification("with its SQLSTATE"), True),
        (psycopg.OperationalError('FATAL:  database "claw-abc" does not exist'), False),
        (psycopg.OperationalError("connection to server failed: Connection refused"), False),
        (psycopg.OperationalError("FATAL:  the database system is starting up"), False),
        (psycopg.errors.TooManyConnections("role authentication failed is not what this says"), False),
        (TimeoutError(), False),
    ],
)
def test_a_refusal_is_told_apart_from_a_database_that_is_away(error: Exception, refuses: bool) -> None:
    assert is_refusal(error) is refuses
