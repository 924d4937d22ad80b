"""API keys: `claw_` + 256 random bits + checksum. Pure.

The prefix lets secret scanners find a leaked key, the checksum lets a typo be refused without a look-up. Only the
SHA-256 leaves the Secret: with 256 random bits a slow hash would protect nothing and cost every request 50 ms.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable

PREFIX = "claw_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"claw_[0-9A-Za-z]{43}[0-9A-Za-z]{6}")


def new_key(random_bytes: Callable[[int], bytes]) -> str:
    """A new key of 54 characters. `random_bytes` is `secrets.token_bytes`."""
    body = _base62(int.from_bytes(random_bytes(32)), 43)
    return PREFIX + body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether it can be a key at all: shape and checksum."""
    return bool(_SHAPE.fullmatch(key)) and hmac.compare_digest(key[-6:], _checksum(key[len(PREFIX) : -6]))


def sha256(secret: str) -> str:
    """What may be stored of a secret, in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
