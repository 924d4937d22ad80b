"""What Google signs: OpenID Connect tokens, RS256, with keys that are published and replaced."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from random import Random
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://accounts.google.com"


def base64url(content: bytes) -> str:
    """Without padding, as JSON Web Tokens have it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class SigningKey:
    """One key pair. Made when it is first used: that takes a tenth of a second."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id

    @cached_property
    def _private(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, content: bytes) -> bytes:
        """The signature."""
        return self._private.sign(content, padding.PKCS1v15(), hashes.SHA256())

    def published(self) -> dict[str, str]:
        """The public half, as a JSON Web Key."""
        numbers = self._private.public_key().public_numbers()
        return {
            "kid": self.key_id,
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "e": base64url(numbers.e.to_bytes(3, "big")),
            "n": base64url(numbers.n.to_bytes(256, "big")),
        }


class Signer:
    """Signs tokens with the newest key, and publishes all that are still valid."""

    def __init__(self, clock: Callable[[], datetime], random: Random) -> None:
        self._clock = clock
        self._random = random
        self._keys: list[SigningKey] = [self._new()]

    def replace_key(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on."""
        self._keys = [*(self._keys if keep_old else ()), self._new()]

    def published(self) -> dict[str, Any]:
        """The JSON Web Key Set."""
        return {"keys": [key.published() for key in self._keys]}

    def sign(self, claims: Mapping[str, Any], *, seconds: float = 3600, header: Mapping[str, Any] | None = None) -> str:
        """A token with these claims, valid for so long. `header` and `claims` replace what is usual."""
        now = int(self._clock().timestamp())
        key = self._keys[-1]
        usual = {"iss": ISSUER, "iat": now, "exp": now + int(seconds)}
        signed = ".".join(
            base64url(json.dumps(part).encode())
            for part in ({"alg": "RS256", "kid": key.key_id, "typ": "JWT"} | dict(header or {}), usual | dict(claims))
        )
        return f"{signed}.{base64url(key.sign(signed.encode()))}"

    def _new(self) -> SigningKey:
        return SigningKey(f"{self._random.getrandbits(160):040x}")
