"""Works off the outbox: one mail at a time, with links that are made in the moment in which it leaves."""

import logging
from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address

import psycopg

from claw_webhook.front.links import LIFETIME, KeyLinks
from claw_webhook.front.passes import EXPORT_LIFETIME, SIGN_IN_LIFETIME, Passes, PassKind
from claw_webhook.mails.letters import Button, button, letter, why_not
from claw_webhook.mails.mail import MailRefused, MailSender, MailUnavailable, compose
from claw_webhook.mails.outbox import Outbox, PendingMail
from claw_webhook.metrics import Metrics

logger = logging.getLogger(__name__)


class Sending:
    """Sends what the outbox holds. `public_url` is where customers reach this service."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        links: KeyLinks,
        passes: Passes,
        mails: MailSender,
        sender: Address,
        public_url: str,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._outbox = outbox
        self._links = links
        self._passes = passes
        self._mails = mails
        self._sender = sender
        self._public_url = public_url
        self._clock = clock
        self._metrics = metrics

    async def send_one(self) -> bool:
        """One mail of the outbox; False when none was due. Raises psycopg.Error while the database is away."""
        async with self._outbox.claim() as mail:
            if mail is None:
                return False
            if reason := why_not(mail.facts, self._clock()):
                await mail.drop(reason)
                self._metrics.mails.labels("dropped").inc()
                logger.info("the %s mail of customer %s does not leave: %s", mail.facts.cause, mail.customer, reason)
                return True
            try:
                await self._send(mail)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                raise  # the claim is gone with its connection, and with it the mail is pending again
            except MailRefused as error:
                await mail.give_up(str(error))
                self._report(mail, "refused", f"is given up: {error}")
            except MailUnavailable as error:
                await self._postpone(mail, str(error))
            except Exception as error:
                # A fault of ours. It must not hold up the other customers' mails, nor be forgotten.
                logger.exception("the %s mail of customer %s could not be made", mail.facts.cause, mail.customer)
                await self._postpone(mail, type(error).__name__)
            else:
                await mail.sent()
                self._metrics.mails.labels("sent").inc()
                logger.info("the %s mail of customer %s has left", mail.facts.cause, mail.customer)
        return True

    async def _postpone(self, mail: PendingMail, reason: str) -> None:
        if not await mail.postpone(reason):
            self._report(mail, "dead", f"is given up: {reason}")
        elif mail.attempts == 0:
            self._report(mail, "postponed", f"is tried again later: {reason}")
        else:
            self._metrics.mails.labels("postponed").inc()

    def _report(self, mail: PendingMail, outcome: str, verdict: str) -> None:
        self._metrics.mails.labels(outcome).inc()
        logger.error("the %s mail of customer %s %s", mail.facts.cause, mail.customer, verdict)

    async def _send(self, mail: PendingMail) -> None:
        now = self._clock()
        link, link_until = await self._link(mail, now)
        written = letter(mail.facts, link=link, link_until=link_until, account=f"{self._public_url}/account", now=now)
        message = compose(
            written, address=mail.email, sender=self._sender, message_id=f"{mail.facts.cause}.{mail.id}", now=now
        )
        await self._mails.send(message)

    async def _link(self, mail: PendingMail, now: datetime) -> tuple[str, datetime | None]:
        """Where the mail's button leads, and until when that is good.

        Committed before the mail leaves: a link in somebody's hands must be known here, whatever happens next.
        """
        match button(mail.facts, now):
            case Button.KEY:
                return f"{self._public_url}/keys/{await self._links.issue(mail.id)}", now + LIFETIME
            case Button.SIGN_IN:
                token = await self._passes.issue(PassKind.SIGN_IN, mail.customer, lifetime=SIGN_IN_LIFETIME)
                return f"{self._public_url}/sign-in/{token}", now + SIGN_IN_LIFETIME
            case Button.EXPORT:
                until = min(mail.facts.data_kept_until(now) or now, now + EXPORT_LIFETIME)
                token = await self._passes.issue(
                    PassKind.EXPORT, mail.customer, lifetime=until - now, instance=mail.facts.instance
                )
                return f"{self._public_url}/exports/{token}", until
            case Button.ACCOUNT:
                return f"{self._public_url}/account", None
            case Button.PLANS:
                return f"{self._public_url}/plans", None
