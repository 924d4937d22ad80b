"""API keys: a shape that scanners find, a checksum that catches typos, and a hash that is all that is stored."""

import hashlib
import secrets

import pytest

from claw_crds import keys

KEY = keys.new_key(lambda count: bytes(range(count)))
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_key_has_the_shape_that_is_published() -> None:
    assert KEY.startswith("claw_")
    assert len(KEY) == 54
    assert keys.is_well_formed(KEY)


@pytest.mark.parametrize("entropy", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31)])
def test_any_256_bits_make_a_key_of_the_same_length(entropy: bytes) -> None:
    assert len(keys.new_key(lambda _count: entropy)) == 54


def test_keys_differ_as_the_random_bits_do() -> None:
    made = {keys.new_key(secrets.token_bytes) for _ in range(100)}

    assert len(made) == 100
    assert all(map(keys.is_well_formed, made))


def test_a_key_asks_for_256_bits() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    keys.new_key(random_bytes)

    assert asked == [32]


@pytest.mark.parametrize("position", range(5, 54))
def test_one_wrong_character_is_refused_wherever_it_is(position: int) -> None:
    wrong = DIGITS[(DIGITS.index(KEY[position]) + 1) % 62]

    assert not keys.is_well_formed(KEY[:position] + wrong + KEY[position + 1 :])


@pytest.mark.parametrize("position", range(5, 53))
def test_two_neighbours_that_changed_places_are_refused(position: int) -> None:
    swapped = KEY[:position] + KEY[position + 1] + KEY[position] + KEY[position + 2 :]

    assert swapped == KEY or not keys.is_well_formed(swapped)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "claw_",
        KEY[:-1],
        KEY + "0",
        KEY + "\n",
        " " + KEY,
        KEY.upper(),
        KEY.replace("claw_", "clew_"),
        "claw_" + "é" * 49,
    ],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    assert not keys.is_well_formed(key)


def test_the_hash_is_sha_256_in_hexadecimal() -> None:
    assert keys.sha256(KEY) == hashlib.sha256(KEY.encode()).hexdigest()
