"""What the schema of the Google account promises to the export: secrets are called secrets."""

import re
from importlib import resources

SCHEMA = resources.files("claw_templates").joinpath("database/runtime/0005_google.sql").read_text()


def columns(kind: str) -> set[str]:
    return set(re.findall(rf"^\s+(\w+)\s+{kind}\b", SCHEMA, re.MULTILINE))


def test_whatever_is_encrypted_is_called_a_secret() -> None:
    assert columns("bytea") == {"verifier_secret", "refresh_token_secret"}


def test_no_token_of_google_has_a_column_that_could_be_read() -> None:
    readable = {name for name in columns("text") if "token" in name}
    assert readable == {"token_secret_sha256", "sync_token"}  # a hash, and a place in a list of changes
