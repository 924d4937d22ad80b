"""Ids and passwords as Neon makes them, from a seeded source."""

import string
from random import Random
from uuid import UUID

_FIRST = ("aged", "bold", "calm", "cool", "damp", "icy", "lively", "muddy", "odd", "proud", "quiet", "royal", "snowy")
_SECOND = ("bar", "boat", "cell", "dew", "fog", "hall", "lake", "math", "moon", "pond", "rain", "salad", "tree", "wave")
_LETTERS = string.ascii_lowercase + string.digits


class Ids:
    """Makes ids; the same seed makes the same ones."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def project(self) -> str:
        """Like `cool-boat-12345678`."""
        return f"{self._words()}-{self._random.randrange(10**7, 10**8)}"

    def branch(self) -> str:
        """Like `br-cool-boat-a1b2c3d4`."""
        return f"br-{self._words()}-{self._tail()}"

    def endpoint(self) -> str:
        """Like `ep-cool-boat-a1b2c3d4`."""
        return f"ep-{self._words()}-{self._tail()}"

    def uuid(self) -> str:
        """A random UUID."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def number(self) -> int:
        """Of a database."""
        return self._random.randrange(10**6, 10**9)

    def password(self) -> str:
        """Like `npg_` and letters and digits."""
        return "npg_" + "".join(self._random.choices(string.ascii_letters + string.digits, k=16))

    def _words(self) -> str:
        return f"{self._random.choice(_FIRST)}-{self._random.choice(_SECOND)}"

    def _tail(self) -> str:
        return "".join(self._random.choices(_LETTERS, k=8))
