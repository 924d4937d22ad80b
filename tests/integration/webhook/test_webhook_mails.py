"""Mails on their way out of the outbox: once, to whoever the customer is by then, and only while they are true."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from typing import Any

import pytest

from claw_crds.keys import sha256
from claw_webhook.database import Pool, fetch_all
from claw_webhook.front.links import KeyLinks
from claw_webhook.front.passes import Passes, PassKind
from claw_webhook.mails import outbox
from claw_webhook.mails.mail import MailSender
from claw_webhook.mails.outbox import Outbox
from claw_webhook.mails.sending import Sending
from claw_webhook.metrics import Metrics
from claw_webhook.notices import Cause
from claw_webhook.settings import MailServer
from tests.integration.webhook.conftest import bodies
from tests.integration.webhook.outside import MailServer as Taker
from tests.integration.webhook.outside import mail_server

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
URL = "https://claw.example"


@dataclass
class Post:
    """An outbox with one customer, Ada, who has one subscription and one instance; and a mail server."""

    pool: Pool
    taker: Taker
    passes: Passes
    sending: Sending
    now: datetime = NOW

    async def put(self, cause: Cause, occasion: str = "sub_1", *, instance: str | None = "claw-1", **more: Any) -> None:
        async with self.pool.connection() as connection:
            await outbox.put(
                connection, cause, occasion=occasion, customer="cus_ada", instance=instance, now=self.now, **more
            )

    async def work_off(self) -> None:
        while await self.sending.send_one():
            pass

    async def change(self, statement: str, *values: object) -> None:
        async with self.pool.connection() as connection:
            await connection.execute(statement.encode(), values)

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection:
            return await fetch_all(connection, query)

    async def states(self) -> list[tuple[str, str | None]]:
        return [(row["state"], row["reason"]) for row in await self.rows("SELECT * FROM outbox ORDER BY id")]

    def text(self, number: int = -1) -> str:
        return " ".join(bodies(self.taker.mails[number])[0].split())

    def token(self, path: str) -> str:
        found = re.search(re.escape(URL + path) + r"([A-Za-z0-9_-]{43})", self.text())
        assert found is not None, self.text()
        return found[1]


@pytest.fixture
async def post(pool: Pool) -> AsyncIterator[Post]:
    async with mail_server() as taker:

        def clock() -> datetime:
            return made.now

        passes = Passes(pool, clock=clock)
        sending = Sending(
            Outbox(pool, clock=clock, random=lambda: 0.5),
            links=KeyLinks(pool, clock=clock),
            passes=passes,
            mails=MailSender(MailServer.parse(taker.url), local_hostname="claw.example"),
            sender=Address("Claw", addr_spec="hello@claw.example"),
            public_url=URL,
            clock=clock,
            metrics=Metrics(),
        )
        made = Post(pool, taker, passes, sending)
        await made.change(
            "INSERT INTO customers VALUES ('cus_ada', 'ada@example.com', 'Ada', NULL, 'UTC', 'en', now(), now())"
        )
        await made.change(
            """
            INSERT INTO subscriptions
                (id, payer, customer, status, price_ids, cancel_at_period_end, created_at, updated_at, standing, since)
            VALUES ('sub_1', 'cus_ada', 'cus_ada', 'active', '{}', false, now(), now(), 'Active', %s)
            """,
            NOW,
        )
        await made.change(
            """
            INSERT INTO instances (name, namespace, subscription, requested_at, uid, url, secret_name)
            VALUES ('claw-1', 'claw', 'sub_1', now(), 'uid-1', 'https://ada.example', 'claw-1-credentials')
            """
        )
        yield made


async def end(post: Post, deletion_at: datetime) -> None:
    await post.change("UPDATE subscriptions SET standing = 'Ended', deletion_at = %s", deletion_at)


async def test_a_mail_leaves_once_for_each_occasion_however_often_it_is_asked_for(post: Post) -> None:
    for occasion in ("sub_1:first", "sub_1:first", "sub_1:second"):
        await post.put(Cause.RESUMED, occasion)
        await post.work_off()
    await post.put(Cause.RESUMED, "sub_1:first")
    await post.work_off()
    assert [mail["Subject"] for mail in post.taker.mails] == ["Your assistant is back"] * 2


async def test_it_goes_to_the_address_of_the_moment_in_which_it_leaves(post: Post) -> None:
    await post.put(Cause.RESUMED)
    await post.change("UPDATE customers SET email = 'ada@new.example', name = 'Ada Byron'")
    await post.work_off()
    assert post.taker.envelopes == [["ada@new.example"]]
    assert "Hello Ada Byron," in post.text()


async def test_it_waits_until_it_is_due(post: Post) -> None:
    await post.put(Cause.RESUMED, due_at=NOW + DAY)
    await post.work_off()
    assert post.taker.mails == []
    post.now += DAY
    await post.work_off()
    assert len(post.taker.mails) == 1


async def test_nobody_who_was_erased_gets_a_mail(post: Post) -> None:
    await post.put(Cause.RESUMED)
    await post.change("UPDATE customers SET erased_at = now()")
    await post.work_off()
    assert post.taker.mails == []
    assert await post.states() == [("dropped", "the customer was erased")]


async def test_a_mail_that_was_overtaken_by_events_is_dropped(post: Post) -> None:
    await end(post, NOW + 7 * DAY)
    await post.put(Cause.DELETION_WEEK)
    await post.change("UPDATE subscriptions SET standing = 'Active', deletion_at = NULL")
    await post.work_off()
    assert post.taker.mails == []
    assert await post.states() == [("dropped", "the subscription is Active by now")]


async def test_who_came_back_with_another_subscription_is_not_warned_of_the_old_ones_deletion(post: Post) -> None:
    await end(post, NOW + 7 * DAY)
    await post.put(Cause.DELETION_WEEK)
    await post.change(
        """
        INSERT INTO subscriptions
            (id, payer, customer, status, price_ids, cancel_at_period_end, created_at, updated_at, standing, since)
        VALUES ('sub_2', 'cus_ada', 'cus_ada', 'active', '{}', false, now(), now(), 'Active', now())
        """
    )
    await post.change("UPDATE instances SET subscription = 'sub_2'")
    await post.work_off()
    assert post.taker.mails == []


async def test_what_a_mail_says_of_money_is_what_was_known_when_it_was_asked_for(post: Post) -> None:
    await post.change("UPDATE subscriptions SET standing = 'Grace', grace_until = %s", NOW + 7 * DAY)
    await post.put(Cause.PAYMENT_FAILED, details={"plan": "Pro", "amount": "$79"})
    await post.work_off()
    assert "the payment of $79 for Claw Pro did not go through" in post.text()
    assert "until Sunday, 29 November 2026" in post.text()
    assert f"{URL}/account" in post.text()


async def test_the_link_to_sign_in_lets_in_once_and_for_a_quarter_of_an_hour(post: Post) -> None:
    for number in range(2):
        await post.put(Cause.SIGN_IN, f"cus_ada:{number}", instance=None)
        await post.work_off()
        token = post.token("/sign-in/")
        if number:
            post.now += timedelta(minutes=16)
            assert await post.passes.use(token, PassKind.SIGN_IN) is None
            continue
        post.now += timedelta(minutes=14)
        found = await post.passes.use(token, PassKind.SIGN_IN)
        assert found is not None
        assert found.customer == "cus_ada"
        assert await post.passes.use(token, PassKind.SIGN_IN) is None


@pytest.mark.parametrize("cause", [Cause.GOODBYE, Cause.DELETION_WEEK, Cause.DELETION_DAY])
async def test_the_link_to_the_data_is_good_as_long_as_the_data_is(post: Post, cause: Cause) -> None:
    await end(post, NOW + 7 * DAY)
    await post.put(cause)
    await post.work_off()
    assert "Sunday, 29 November 2026" in post.text()
    token = post.token("/exports/")
    assert await post.passes.look(token, PassKind.SIGN_IN) is None
    for _ in range(2):
        found = await post.passes.look(token, PassKind.EXPORT)
        assert found is not None
        assert (found.customer, found.instance) == ("cus_ada", "claw-1")
    post.now += 7 * DAY
    assert await post.passes.look(token, PassKind.EXPORT) is None


async def test_who_had_the_data_kept_longer_reads_the_later_date(post: Post) -> None:
    await end(post, NOW + 7 * DAY)
    await post.put(Cause.DELETION_WEEK)
    await post.change("UPDATE instances SET keep_until = %s", NOW + 30 * DAY)
    await post.work_off()
    assert "Tuesday, 22 December 2026" in post.text()


async def test_data_that_is_held_is_promised_without_a_date(post: Post) -> None:
    await end(post, NOW - DAY)
    await post.change("UPDATE subscriptions SET hold = 'Stripe does not know it'")
    await post.put(Cause.GOODBYE)
    await post.put(Cause.DELETION_DAY)
    await post.work_off()
    assert [mail["Subject"] for mail in post.taker.mails] == ["Your subscription has ended"]
    assert "Your data is kept for now" in post.text()
    post.token("/exports/")


async def test_a_goodbye_without_data_says_so(post: Post) -> None:
    await end(post, NOW + 7 * DAY)
    await post.change("UPDATE instances SET deleted_at = now()")
    await post.put(Cause.GOODBYE)
    await post.work_off()
    assert "the data of your assistant is deleted" in post.text()
    assert "/exports/" not in post.text()


async def test_a_mail_that_could_not_be_taken_leaves_later_with_a_link_that_works(post: Post) -> None:
    post.taker.answers.append("451 4.3.0 later")
    await end(post, NOW + 7 * DAY)
    await post.put(Cause.GOODBYE)
    await post.work_off()
    assert post.taker.mails == []
    post.now += timedelta(minutes=1)
    await post.work_off()
    assert len(post.taker.mails) == 1
    assert await post.passes.look(post.token("/exports/"), PassKind.EXPORT) is not None


async def test_the_database_knows_no_token(post: Post) -> None:
    await end(post, NOW + 7 * DAY)
    await post.put(Cause.GOODBYE)
    await post.work_off()
    token = post.token("/exports/")
    everything = str(await post.rows("SELECT * FROM passes")) + str(await post.rows("SELECT * FROM outbox"))
    assert sha256(token) in everything
    assert token not in everything
