"""Tokens: exchanged for a code, refreshed before they end, taken back.

An access token lives for an hour, in memory only; a restart costs one refresh. However many tools need a new one at
the same time, Google is asked once.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from claw_runtime.google.account import Account, Accounts
from claw_runtime.google.failures import (
    RECONNECT,
    UNREADABLE,
    GoogleAway,
    consent_invalid,
    reconnect,
)
from claw_runtime.google.http import Http, Request, refusal
from claw_runtime.google.places import Places
from claw_runtime.google.vault import CannotOpen, Vault

log = logging.getLogger(__name__)

EARLY = timedelta(minutes=5)
"""Refreshed so long before its end, and up to as long again earlier: not all runtimes of a fleet in the same minute."""
REVOKE_SECONDS = 5.0

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class OAuthClient:
    """What Google knows this installation by."""

    id: str
    secret: str

    @property
    def form(self) -> dict[str, str]:
        """As the token endpoint takes it."""
        return {"client_id": self.id, "client_secret": self.secret}


class Exchanged(BaseModel):
    """What Google gives for a code."""

    access_token: str = Field(min_length=1, repr=False)
    expires_in: float = 3600
    refresh_token: str | None = Field(default=None, repr=False)
    scope: str = ""
    id_token: str = Field(default="", repr=False)


class _Refreshed(BaseModel):
    access_token: str = Field(min_length=1, repr=False)
    expires_in: float = 3600
    refresh_token: str | None = Field(default=None, repr=False)


@dataclass(frozen=True)
class _Held:
    account: Account
    token: str
    refresh_at: datetime


class Tokens:
    """Access for the connected account. `uid` is the instance's."""

    def __init__(
        self,
        *,
        http: Http,
        places: Places,
        client: OAuthClient,
        vault: Vault,
        accounts: Accounts,
        uid: Callable[[], str],
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._places = places
        self._client = client
        self._vault = vault
        self._accounts = accounts
        self._uid = uid
        self._clock = clock
        self._jitter = jitter
        self._one_at_a_time = asyncio.Lock()
        self._held: _Held | None = None

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> Exchanged:
        """Tokens for a code. Raises Problem. Never repeated: a code that comes twice counts as stolen."""
        form = self._client.form | {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        reply = await self._http.ask(Request("POST", self._places.token, form=form, repeatable=False))
        if reply.status != 200:
            log.warning("Google refused a code", extra={"status": reply.status, "reason": reply.reason[:40]})
            raise consent_invalid("Google did not accept this consent. Connect Google again.")
        return _parsed(Exchanged, reply.content)

    async def access(self, account: Account, *, stale: str | None = None) -> str:
        """A token that works for some minutes, other than the `stale` one. Raises Problem, and DatabaseAway."""
        async with self._one_at_a_time:
            held = self._held
            if (
                held is not None
                and held.account.id == account.id
                and held.token != stale
                and self._clock() < held.refresh_at
            ):
                return held.token
            self._held = await self._refreshed(account)
            return self._held.token

    def seal(self, refresh_token: str) -> bytes:
        """As it is kept."""
        return self._vault.seal(refresh_token, place=self._place)

    async def revoke(self, account: Account) -> bool:
        """Take the access back at Google, if it answers soon. Returns whether it did."""
        self._held = None
        try:
            return await self.revoke_token(self._vault.open(account.sealed, place=self._place))
        except CannotOpen:
            return False

    async def revoke_token(self, token: str) -> bool:
        """Like `revoke`, for a token that was never kept."""
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                reply = await self._http.ask(Request("POST", self._places.revoke, form={"token": token}))
        except (GoogleAway, TimeoutError):
            return False
        return reply.status in {200, 400}  # 400: it was revoked before

    @property
    def _place(self) -> str:
        return f"{self._uid()}/google_account"

    async def _refreshed(self, account: Account) -> _Held:
        try:
            refresh_token = self._vault.open(account.sealed, place=self._place)
        except CannotOpen:
            await self._give_up(account, UNREADABLE)
            raise reconnect(UNREADABLE) from None
        form = self._client.form | {"grant_type": "refresh_token", "refresh_token": refresh_token}
        reply = await self._http.ask(Request("POST", self._places.token, form=form))
        if reply.reason == "invalid_grant":
            await self._give_up(account, RECONNECT)
            raise reconnect(RECONNECT)
        if reply.status != 200:
            raise refusal(reply)
        answer = _parsed(_Refreshed, reply.content)
        if answer.refresh_token is not None or not self._vault.is_current(account.sealed):
            await self._accounts.reseal(account, self.seal(answer.refresh_token or refresh_token))
        life = timedelta(seconds=answer.expires_in)
        early = min(EARLY * (1 + self._jitter()), life / 2)
        return _Held(account, answer.access_token, self._clock() + life - early)

    async def _give_up(self, account: Account, problem: str) -> None:
        log.warning("the connection to Google has ended", extra={"problem": problem})
        await self._accounts.tell(account, problem)


def _parsed(model: type[Answer], content: bytes) -> Answer:
    try:
        return model.model_validate_json(content)
    except ValidationError:
        raise GoogleAway("Google's answer could not be understood.", unknown=True) from None
