"""The way to Google's consent page and back: OAuth 2.0 with PKCE and a state.

The state begins with the instance's uid, so that the one callback address of a fleet knows whose it is; the rest is
random. It works once, for ten minutes, and only a hash of it is kept. The verifier, without which a stolen code is
worth nothing, never leaves this runtime unencrypted.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from claw_runtime.google.failures import UNREADABLE, consent_invalid
from claw_runtime.google.places import Scope, asked_for
from claw_runtime.google.vault import CannotOpen, Vault

if TYPE_CHECKING:
    from claw_runtime.database import Database

LIFE = timedelta(minutes=10)
MOST_PENDING = 20
"""Consent pages that are open at the same time. The oldest ones beyond that are worth nothing any more."""


@dataclass(frozen=True)
class Started:
    """Where the customer goes now."""

    url: str
    state: str
    expires_at: datetime


@dataclass(frozen=True)
class Returned:
    """A customer is back: what their code is exchanged with."""

    verifier: str
    redirect_uri: str
    scopes: tuple[Scope, ...]


class Consents:
    """Consent pages that customers have gone to. Methods raise DatabaseAway."""

    def __init__(
        self,
        database: "Database",
        vault: Vault,
        clock: Callable[[], datetime],
        random: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._random = random

    async def start(
        self, uid: str, scopes: Collection[Scope], *, page: str, client_id: str, redirect_uri: str
    ) -> Started:
        """Prepare a visit to the consent page."""
        state, verifier, now = f"{uid}.{self._random(32)}", self._random(48), self._clock()
        hashed = _hash(state)
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(
                """delete from google_authorizations
                    where expires_at <= %(now)s or state_sha256 in
                          (select state_sha256 from google_authorizations
                            order by expires_at desc offset %(others)s)""",
                {"now": now, "others": MOST_PENDING - 1},
            )
            await connection.execute(
                """insert into google_authorizations (state_sha256, verifier_secret, redirect_uri, scopes, expires_at)
                   values (%(state)s, %(verifier)s, %(redirect_uri)s, %(scopes)s, %(expires_at)s)""",
                {
                    "state": hashed,
                    "verifier": self._vault.seal(verifier, place=_place(uid, hashed)),
                    "redirect_uri": redirect_uri,
                    "scopes": sorted(scopes),
                    "expires_at": now + LIFE,
                },
            )
        members = {
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": asked_for(scopes),
            "state": state,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",  # without it, Google gives the refresh token only the first time
        }
        return Started(f"{page}?{urlencode(members)}", state, now + LIFE)

    async def returned(self, uid: str, state: str) -> Returned:
        """Take back what was prepared, once. Raises Problem."""
        if not state.startswith(f"{uid}."):
            raise consent_invalid("This consent was begun for another assistant. Nothing was connected.")
        hashed = _hash(state)
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """delete from google_authorizations where state_sha256 = %(state)s
                   returning verifier_secret, redirect_uri, scopes, expires_at""",
                {"state": hashed},
            )
            row = await cursor.fetchone()
        if row is None or row["expires_at"] <= self._clock():
            raise consent_invalid("This consent was used already, or is older than ten minutes. Connect Google again.")
        try:
            verifier = self._vault.open(bytes(row["verifier_secret"]), place=_place(uid, hashed))
        except CannotOpen:
            raise consent_invalid(UNREADABLE) from None
        return Returned(verifier, row["redirect_uri"], tuple(cast("list[Scope]", row["scopes"])))


def challenge(verifier: str) -> str:
    """What Google may know of the verifier before the exchange: S256 of RFC 7636."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _place(uid: str, hashed: str) -> str:
    return f"{uid}/google_authorizations/{hashed}"
