"""Is a token really Google's? OpenID Connect tokens, checked with Google's published keys.

The keys are fetched when the first token comes, and again when they are older than Google says, or when a token names
one that is not among them; the latter once a minute at most, because anybody can name keys.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from claw_runtime.google.failures import GoogleAway
from claw_runtime.google.http import Http, Request

if TYPE_CHECKING:
    from jwt import PyJWK

log = logging.getLogger(__name__)

ISSUERS: Final = ["https://accounts.google.com", "accounts.google.com"]
LEEWAY: Final = timedelta(seconds=60)
"""By which clocks may differ."""
MAX_TOKEN: Final = 4096
_SHORTEST, _USUAL, _LONGEST = timedelta(minutes=5), timedelta(hours=1), timedelta(hours=24)
_AGAIN: Final = timedelta(minutes=1)


class Unverified(Exception):
    """It is not from whom it says. Why is for the log, not for the sender."""


class Claims(BaseModel):
    """What a token says."""

    exp: int
    iat: int
    email: str = ""
    email_verified: bool = False
    nonce: str | None = None


class Certificates:
    """Google's keys, kept for as long as Google says."""

    def __init__(self, http: Http, url: str, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at: datetime | None = None
        self._life = timedelta(0)

    async def verified(self, token: str, audience: str) -> Claims:
        """What Google says in this token, which is for this audience. Raises Unverified, and GoogleAway."""
        if len(token) > MAX_TOKEN:
            raise Unverified("too long")
        jwt = await asyncio.to_thread(import_module, "jwt")  # with `cryptography`: a tenth of a second
        try:
            header = jwt.get_unverified_header(token)
            # The algorithm is ours to choose. A token that chooses its own may choose none.
            if header.get("alg") != "RS256":
                raise Unverified("another algorithm")
            key = await self._key(str(header.get("kid", "")))
            payload = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=audience,
                issuer=ISSUERS,
                # Times are compared below, with the clock that is given.
                options={
                    "require": ["exp", "iat", "aud", "iss"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            claims = Claims.model_validate(payload)
        except jwt.PyJWTError as error:
            raise Unverified(type(error).__name__) from None
        except ValidationError:
            raise Unverified("malformed") from None
        now = self._clock().timestamp()
        if not claims.iat - LEEWAY.total_seconds() <= now < claims.exp + LEEWAY.total_seconds():
            raise Unverified("not its time")
        return claims

    async def _key(self, key_id: str) -> "PyJWK":
        async with self._fetching:
            age = self._clock() - self._fetched_at if self._fetched_at is not None else None
            if age is None or age >= self._life or (key_id not in self._keys and age >= _AGAIN):
                await self._fetch()
        if (key := self._keys.get(key_id)) is None:
            raise Unverified("unknown key")
        return key

    async def _fetch(self) -> None:
        from jwt import PyJWK, PyJWTError

        reply = await self._http.ask(Request("GET", self._url))
        try:
            published = json.loads(reply.content)["keys"] if reply.status == 200 else []
            keys = {str(entry["kid"]): PyJWK(entry, algorithm="RS256") for entry in published}
        except (ValueError, KeyError, TypeError, PyJWTError):
            keys = {}
        if not keys:
            raise GoogleAway("Google's keys could not be read.", unknown=False, retry_after=60)
        self._keys, self._fetched_at = keys, self._clock()
        self._life = _life(reply.headers)


def _life(headers: Any) -> timedelta:
    told = re.search(r"max-age=(\d{1,9})", headers.get("Cache-Control", ""))
    return min(max(timedelta(seconds=int(told[1])), _SHORTEST), _LONGEST) if told else _USUAL
