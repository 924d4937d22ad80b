"""Keeps secrets in the database without giving them to whoever reads it: AES-256-GCM, with a key from outside.

A sealed secret is `version | key id | nonce | ciphertext and tag`. The key's id is a piece of its hash, so that after a
rotation each secret finds its key among those that are given. What a secret belongs to (instance, table, row) is
authenticated with it: copied to another row, or to another instance's database, it does not open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = b"\x01"
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class CannotOpen(Exception):
    """Sealed with a key that is not here, for another place, or damaged. Which of them does not matter: it is lost."""


class Vault:
    """Seals and opens. The first key seals, all of them open. Without any, nothing opens, and nothing can be sealed."""

    def __init__(self, keys: tuple[bytes, ...], random: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = {_id_of(key): key for key in keys}
        self._current = _id_of(keys[0]) if keys else b""
        self._random = random

    @classmethod
    def of(cls, setting: str) -> "Vault":
        """From keys of 32 bytes in base64url, the newest first, separated by commas. Raises ValueError."""
        return cls(tuple(_key(text.strip()) for text in setting.split(",")))

    @property
    def can_seal(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    def seal(self, secret: str, *, place: str) -> bytes:
        """`place` is what it belongs to, such as "uid/google_account"."""
        nonce = self._random(_NONCE_BYTES)
        content = _cipher(self._keys[self._current]).encrypt(nonce, secret.encode(), _bound(self._current, place))
        return _VERSION + self._current + nonce + content

    def open(self, sealed: bytes, *, place: str) -> str:
        """The secret. Raises CannotOpen."""
        key_id, rest = sealed[1 : 1 + _ID_BYTES], sealed[1 + _ID_BYTES :]
        key = self._keys.get(key_id)
        if sealed[:1] != _VERSION or key is None:
            raise CannotOpen
        from cryptography.exceptions import InvalidTag

        try:
            return _cipher(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound(key_id, place)).decode()
        except (InvalidTag, ValueError):
            raise CannotOpen from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed with the newest key."""
        return sealed[1 : 1 + _ID_BYTES] == self._current


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _bound(key_id: bytes, place: str) -> bytes:
    return _VERSION + key_id + place.encode()


def _id_of(key: bytes) -> bytes:
    return hashlib.sha256(b"claw vault key id" + key).digest()[:_ID_BYTES]


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError(f"an encryption key is {_KEY_BYTES} bytes in base64url")
    return key
