"""Keys: which are accepted, and that everything else is refused alike."""

from datetime import UTC, datetime, timedelta

import pytest

from claw_crds import keys
from claw_crds.configuration import KeyHash
from claw_runtime import auth

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = keys.new_key(lambda size: bytes(range(size)))
OTHER_KEY = keys.new_key(lambda size: bytes(range(1, size + 1)))


def accepted(*secrets: str, expires_at: datetime | None = None) -> list[KeyHash]:
    return [KeyHash(sha256=keys.sha256(secret), expires_at=expires_at) for secret in secrets]


def test_an_accepted_key_is_let_in() -> None:
    assert auth.is_customer(accepted(OTHER_KEY, KEY), KEY, NOW)


@pytest.mark.parametrize(
    "credential",
    [
        None,
        "",
        OTHER_KEY,
        KEY[:-1],
        KEY + "0",
        KEY.upper(),
        KEY[:-1] + ("0" if KEY[-1] != "0" else "1"),
        "claw_",
        "sk-ant-api03-abc",
        "claw_" + "0" * 49,
    ],
)
def test_anything_else_is_refused(credential: str | None) -> None:
    assert not auth.is_customer(accepted(KEY), credential, NOW)


def test_a_key_of_which_only_the_hash_is_well_formed_is_refused() -> None:
    assert not auth.is_customer(accepted("not-a-key"), "not-a-key", NOW)


def test_a_rotated_key_works_until_it_expires_and_not_a_moment_longer() -> None:
    rotated = accepted(KEY, expires_at=NOW)

    assert auth.is_customer(rotated, KEY, NOW - timedelta(microseconds=1))
    assert not auth.is_customer(rotated, KEY, NOW)


def test_no_key_is_accepted_when_none_is_configured() -> None:
    assert not auth.is_customer([], KEY, NOW)


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("claw_abc", None),
        ("Bearer schlüssel", None),
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc ", "abc"),
    ],
)
def test_a_credential_is_what_follows_bearer(header: str | None, credential: str | None) -> None:
    assert auth.bearer(header) == credential


def test_the_operator_is_known_by_the_tokens_hash() -> None:
    token_sha256 = keys.sha256("token")

    assert auth.is_operator(token_sha256, "token")
    assert not auth.is_operator(token_sha256, "Token")
    assert not auth.is_operator(token_sha256, token_sha256)
    assert not auth.is_operator(token_sha256, None)
