"""When watches are renewed: by a timer in memory, a day before their end, and by nothing else."""

import asyncio
import logging
import uuid
from datetime import timedelta

import pytest

from claw_runtime.database import Database
from claw_runtime.google.account import Account, Accounts
from claw_runtime.google.api import Api
from claw_runtime.google.calendar import Calendar
from claw_runtime.google.channels import Channels
from claw_runtime.google.gmail import Gmail
from claw_runtime.google.http import Http
from claw_runtime.google.incoming import Incoming
from claw_runtime.google.places import Places
from claw_runtime.google.renewals import Renewals
from claw_runtime.google.tokens import OAuthClient, Tokens
from claw_runtime.google.vault import Vault
from tests.quickly import QuickLoop

RATE = 1_000_000.0


def renewals(loop: QuickLoop, account: Account | None) -> Renewals:
    """Without a key, and before a database that is not there: whatever it tries is seen in the log."""
    database, http, places = Database("postgresql://nowhere"), Http(), Places.at("http://127.0.0.1:9")
    accounts, channels = Accounts(database), Channels(database)
    accounts.current = account
    tokens = Tokens(
        http=http,
        places=places,
        client=OAuthClient("id", "secret"),
        vault=Vault(()),
        accounts=accounts,
        uid=lambda: "uid",
        clock=loop.clock,
    )
    api = Api(http, tokens, accounts)
    gmail, calendar = Gmail(api, places.gmail), Calendar(api, places.calendar)
    return Renewals(
        accounts=accounts,
        channels=channels,
        gmail=gmail,
        calendar=calendar,
        incoming=Incoming(
            database=database, accounts=accounts, channels=channels, gmail=gmail, calendar=calendar, clock=loop.clock
        ),
        topic="projects/claw/topics/gmail",
        address=None,
        uid=lambda: "uid",
        clock=loop.clock,
    )


def watched(loop: QuickLoop, days: float) -> Account:
    return Account(
        id=uuid.UUID(int=1),
        address="ada@example.com",
        scopes=("gmail",),
        sealed=b"",
        connected_at=loop.clock(),
        watch_expires_at=loop.clock() + timedelta(days=days),
    )


def live(loop: QuickLoop, account: Account | None, caplog: pytest.LogCaptureFixture, *days: float) -> list[int]:
    """How often it had complained after each of these spans."""

    async def lived() -> list[int]:
        renewing = renewals(loop, account)
        renewing.start()
        loop.hurry(RATE)
        seen = []
        for span in days:
            await asyncio.sleep(span * 86_400)
            seen.append(sum("tell us of changes" in record.message for record in caplog.records))
        await renewing.stop()
        return seen

    with caplog.at_level(logging.INFO, "claw_runtime"):
        try:
            return loop.run_until_complete(lived())
        finally:
            loop.close()


def test_a_watch_is_renewed_by_itself_a_day_before_its_end_and_not_earlier(caplog: pytest.LogCaptureFixture) -> None:
    loop = QuickLoop()
    assert live(loop, watched(loop, 5), caplog, 2, 4) == [0, 1]


def test_what_cannot_be_renewed_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = QuickLoop()
    assert live(loop, watched(loop, 0.5), caplog, 2) == [1]


def test_without_an_account_nothing_happens_for_days(caplog: pytest.LogCaptureFixture) -> None:
    assert live(QuickLoop(), None, caplog, 3) == [0]
    assert caplog.records == []
