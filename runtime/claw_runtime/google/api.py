"""Calls of Gmail and Calendar in the customer's name."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from claw_runtime.google.account import Account, Accounts
from claw_runtime.google.failures import GoogleAway, not_connected, reconnect
from claw_runtime.google.http import Http, Reply, Request, refusal
from claw_runtime.google.places import NAMES, Scope
from claw_runtime.google.tokens import Tokens

Answer = TypeVar("Answer", bound=BaseModel)


class Nothing(BaseModel):
    """For answers that say nothing."""


class Api:
    """Asks, with a token that works."""

    def __init__(self, http: Http, tokens: Tokens, accounts: Accounts) -> None:
        self._http = http
        self._tokens = tokens
        self._accounts = accounts

    def account(self, scope: Scope) -> Account:
        """The account, when this part of it is connected. Raises Problem, which says what the customer can do."""
        account = self._accounts.current
        if account is None or scope not in account.scopes:
            raise not_connected(NAMES[scope])
        if account.problem is not None:
            raise reconnect(account.problem)
        return account

    async def ask(self, scope: Scope, request: Request, answer: type[Answer]) -> Answer:
        """The answer. Raises GoogleRefused, GoogleAway, Problem when nothing is connected, and DatabaseAway."""
        account = self.account(scope)
        token = await self._tokens.access(account)
        reply = await self._http.ask(request, token)
        if reply.status == 401:
            # Revoked, or its life was shorter than told. The refresh finds out which.
            token = await self._tokens.access(account, stale=token)
            reply = await self._http.ask(request, token)
        return _read(reply, answer)


def _read(reply: Reply, answer: type[Answer]) -> Answer:
    if not 200 <= reply.status < 300:
        raise refusal(reply)
    try:
        return answer.model_validate_json(reply.content or b"{}")
    except ValidationError:
        raise GoogleAway("Google's answer could not be understood.", unknown=True) from None
