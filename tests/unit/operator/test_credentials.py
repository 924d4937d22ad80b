"""The life of the keys, and that nobody sees them by accident."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from claw_crds import naming
from claw_crds.keys import is_well_formed, new_key, sha256
from claw_operator.credentials import OVERLAP, Credentials, derived
from claw_operator.external import ConnectionUrls
from tests.unit.operator.examples import CREDENTIALS, NOW, random_bytes

ROTATED = CREDENTIALS.rotated(2, NOW, random_bytes(2))


def test_first_credentials_are_three_different_secrets() -> None:
    issued = Credentials.issue(1, "db-1", ConnectionUrls("postgresql://x"), random_bytes())
    assert is_well_formed(issued.api_key)
    assert len(issued.configuration_token) == 64
    assert issued.key_hashes()[0].sha256 == sha256(issued.api_key)
    assert (issued.previous_api_key, issued.previous_expires_at) == (None, None)


def test_a_key_is_derived_as_rfc_5869_says() -> None:
    """Its third case: no salt, no purpose; the first 32 bytes of what is asked for there."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert derived(b"\x0b" * 22, b"").hex() == expected


def test_the_encryption_key_is_of_one_instance_and_survives_whatever_happens_to_its_credentials() -> None:
    other = replace(CREDENTIALS, configuration_token="another token")
    moved = ROTATED.retired().moved("db-2", ConnectionUrls("postgresql://y"))

    assert len(base64.urlsafe_b64decode(CREDENTIALS.encryption_key)) == 32
    assert other.encryption_key != CREDENTIALS.encryption_key
    assert moved.encryption_key == ROTATED.encryption_key == CREDENTIALS.encryption_key
    assert CREDENTIALS.encryption_key not in repr(CREDENTIALS)
    assert CREDENTIALS.encryption_key not in CREDENTIALS.to_secret().values()


def test_a_rotated_key_works_for_another_hour() -> None:
    assert ROTATED.revision == 2
    assert ROTATED.api_key != CREDENTIALS.api_key
    assert ROTATED.previous_api_key == CREDENTIALS.api_key
    assert ROTATED.previous_expires_at == NOW + OVERLAP == NOW + timedelta(hours=1)
    new, old = ROTATED.key_hashes()
    assert (new.sha256, new.expires_at) == (sha256(ROTATED.api_key), None)
    assert (old.sha256, old.expires_at) == (sha256(CREDENTIALS.api_key), NOW + OVERLAP)


def test_the_end_of_a_key_has_whole_seconds_or_it_would_change_on_its_way_through_the_secret() -> None:
    rotated = CREDENTIALS.rotated(2, NOW.replace(microsecond=123_456), random_bytes(2))
    assert Credentials.from_secret(rotated.to_secret()) == rotated


def test_a_second_rotation_within_the_hour_ends_the_oldest_key() -> None:
    twice = ROTATED.rotated(3, NOW + timedelta(minutes=1), random_bytes(3))
    assert [key.sha256 for key in twice.key_hashes()] == [sha256(twice.api_key), sha256(ROTATED.api_key)]


def test_only_the_previous_key_is_retired() -> None:
    retired = ROTATED.retired()
    assert [key.sha256 for key in retired.key_hashes()] == [sha256(ROTATED.api_key)]
    assert not {naming.SECRET_PREVIOUS_API_KEY, naming.SECRET_PREVIOUS_API_KEY_EXPIRES_AT} & set(retired.to_secret())


def test_another_database_changes_no_key() -> None:
    moved = ROTATED.moved("db-2", ConnectionUrls("postgresql://y", "postgresql://pool"))
    assert (moved.database_id, moved.database_url) == ("db-2", "postgresql://y")
    assert moved.database_pooled_url == "postgresql://pool"
    assert moved.key_hashes() == ROTATED.key_hashes()
    assert moved.configuration_token == ROTATED.configuration_token


@pytest.mark.parametrize(
    "credentials",
    [
        CREDENTIALS,
        ROTATED,
        ROTATED.retired(),
        ROTATED.moved("db-2", ConnectionUrls("postgresql://y", "postgresql://p")),
    ],
    ids=["first", "rotated", "retired", "with a pooler"],
)
def test_the_secret_holds_all_of_it(credentials: Credentials) -> None:
    assert Credentials.from_secret(credentials.to_secret()) == credentials


@pytest.mark.parametrize("key", sorted(CREDENTIALS.to_secret()))
@pytest.mark.parametrize("garbled", [None, "", "\ufffd\ufffd"], ids=["missing", "empty", "binary"])
def test_what_a_person_garbled_is_no_credentials(key: str, garbled: str | None) -> None:
    data = CREDENTIALS.to_secret()
    if garbled is None:
        del data[key]
    else:
        data[key] = garbled
    found = Credentials.from_secret(data)
    # Of a token, a URL or an id nobody can tell whether it is right; the loop finds out. An id that is empty is that of
    # no database, so the URL is issued anew and the keys stay.
    checked = key in (naming.SECRET_API_KEY, naming.SECRET_CREDENTIALS_REVISION)
    nothing = garbled is None or (garbled == "" and key != naming.SECRET_DATABASE_ID)
    assert (found is None) == (checked or nothing)


def test_a_key_with_a_typo_is_no_key() -> None:
    wrong = "a" if CREDENTIALS.api_key[10] != "a" else "b"
    typo = CREDENTIALS.api_key[:10] + wrong + CREDENTIALS.api_key[11:]
    assert Credentials.from_secret(CREDENTIALS.to_secret() | {naming.SECRET_API_KEY: typo}) is None


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        ("2026-11-22T13:00:00+00:00", datetime(2026, 11, 22, 13, tzinfo=UTC)),
        ("2026-11-22T13:00:00Z", datetime(2026, 11, 22, 13, tzinfo=UTC)),
        ("2026-11-22T13:00:00", datetime(2026, 11, 22, 13, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("", None),
    ],
)
def test_the_end_of_a_key_may_be_edited_by_hand(expires: str, expected: datetime | None) -> None:
    found = Credentials.from_secret(ROTATED.to_secret() | {naming.SECRET_PREVIOUS_API_KEY_EXPIRES_AT: expires})
    assert found is not None
    assert found.previous_expires_at == expected
    assert (found.previous_api_key is None) == (expected is None)


def test_an_end_that_is_no_moment_is_no_credentials() -> None:
    data = ROTATED.to_secret() | {naming.SECRET_PREVIOUS_API_KEY_EXPIRES_AT: "tomorrow"}
    assert Credentials.from_secret(data) is None


def test_no_secret_is_in_a_repr() -> None:
    previous = new_key(random_bytes(9))
    credentials = replace(ROTATED, previous_api_key=previous)
    shown = f"{credentials!r} {credentials} {[credentials]}"
    secrets = (credentials.api_key, previous, credentials.configuration_token, credentials.database_url)
    assert not [secret for secret in secrets if secret in shown]
    assert "db-1" in shown
