"""What a person should know before the operator uses their Railway and Neon accounts. Reads only, changes nothing.

`claw doctor` finds `examine` through the entry-point group `claw.checks` and shows what it returns.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypeVar

import httpx
from pydantic import ValidationError

from claw_operator.external.budget import Budget
from claw_operator.external.http import Api
from claw_operator.settings import complaints
from claw_operator.settings_neon import NeonSettings
from claw_operator.settings_railway import RailwaySettings

S = TypeVar("S")

_PATIENCE = 15.0
"""Seconds for one answer. A person is waiting."""


class Verdict(StrEnum):
    """Whether the operator could work with it."""

    OK = "ok"
    NOTE = "note"
    """It could, and the person should know this."""
    MISSING = "missing"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at, in plain words."""

    subject: str
    verdict: Verdict
    detail: str
    hint: str = ""
    """What to do about it."""


Checks = AsyncIterator[Check]


async def examine(environment: Mapping[str, str]) -> list[Check]:
    """Everything about the accounts that the environment has tokens for; nothing when it has none."""
    # Not at the top: the doctor of a stack that knows no cloud needs none of it.
    from claw_operator.checks_neon import neon_checks
    from claw_operator.checks_railway import railway_checks

    checks: list[Check] = []
    async with httpx.AsyncClient() as session:
        if environment.get("RAILWAY_TOKEN"):
            checks += await _with_settings("Railway", RailwaySettings, railway_checks, environment, session)
        if environment.get("NEON_API_KEY"):
            checks += await _with_settings("Neon", NeonSettings, neon_checks, environment, session)
    return checks


async def _with_settings(
    subject: str,
    settings: Callable[..., S],
    look: Callable[[S, Api], "Checks"],
    environment: Mapping[str, str],
    session: httpx.AsyncClient,
) -> list[Check]:
    try:
        read = settings(**environment)
    except ValidationError as error:
        return [
            Check(subject, Verdict.MISSING, line, ".env.example tells of every variable") for line in complaints(error)
        ]
    return [check async for check in look(read, _edge(subject.lower(), session))]


def _edge(provider: str, session: httpx.AsyncClient) -> Api:
    """A provider's API, for a handful of questions."""
    budget = Budget(provider, per_second=5.0, burst=20, patience=_PATIENCE)
    return Api(session, budget, provider=provider, random=Random().random, timeout=_PATIENCE)  # noqa: S311 - jitter
