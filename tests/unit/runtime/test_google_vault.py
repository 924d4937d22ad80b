"""Secrets in the database, as only this instance can read them."""

import base64

import pytest

from claw_runtime.google.vault import CannotOpen, Vault

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
PLACE = "uid/google_account"


def test_what_was_sealed_opens_at_its_place() -> None:
    vault = Vault((OLD,))
    assert vault.open(vault.seal("1//refresh", place=PLACE), place=PLACE) == "1//refresh"


def test_the_same_secret_never_looks_the_same() -> None:
    vault = Vault((OLD,))
    sealed = {vault.seal("1//refresh", place=PLACE) for _ in range(20)}
    assert len(sealed) == 20
    assert all(b"refresh" not in content for content in sealed)


def test_a_secret_that_was_moved_does_not_open() -> None:
    vault = Vault((OLD,))
    sealed = vault.seal("1//refresh", place=PLACE)
    for elsewhere in ("other/google_account", "uid/google_authorizations/1", ""):
        with pytest.raises(CannotOpen):
            vault.open(sealed, place=elsewhere)


@pytest.mark.parametrize("position", range(0, 40, 3))
def test_a_damaged_secret_does_not_open(position: int) -> None:
    vault = Vault((OLD,))
    sealed = bytearray(vault.seal("1//refresh", place=PLACE))
    sealed[position % len(sealed)] ^= 1
    with pytest.raises(CannotOpen):
        vault.open(bytes(sealed), place=PLACE)


@pytest.mark.parametrize("length", [0, 1, 5, 12, 17, 20])
def test_a_piece_of_a_secret_does_not_open(length: int) -> None:
    vault = Vault((OLD,))
    with pytest.raises(CannotOpen):
        vault.open(vault.seal("1//refresh", place=PLACE)[:length], place=PLACE)


def test_after_a_rotation_old_secrets_open_and_new_ones_are_sealed_with_the_new_key() -> None:
    old, both = Vault((OLD,)), Vault((NEW, OLD))
    sealed = old.seal("1//refresh", place=PLACE)
    assert both.open(sealed, place=PLACE) == "1//refresh"
    assert not both.is_current(sealed)
    again = both.seal("1//refresh", place=PLACE)
    assert both.is_current(again)
    with pytest.raises(CannotOpen):
        old.open(again, place=PLACE)


def test_keys_are_read_with_and_without_padding() -> None:
    padded = base64.urlsafe_b64encode(OLD).decode()
    sealed = Vault((OLD,)).seal("x", place=PLACE)
    for setting in (padded, padded.rstrip("="), f"{base64.urlsafe_b64encode(NEW).decode()}, {padded}"):
        assert Vault.of(setting).open(sealed, place=PLACE) == "x"


@pytest.mark.parametrize("setting", ["", "secret", "A" * 42, "A" * 44, "!" * 43, f"{'A' * 43},"])
def test_what_is_no_key_is_refused_without_repeating_it(setting: str) -> None:
    with pytest.raises(ValueError, match="32 bytes in base64url") as raised:
        Vault.of(setting)
    assert not setting or setting not in str(raised.value)
