"""Works off the outbox: one mail at a time."""

import logging
from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address

import psycopg

from claw_webhook.links import KeyLinks
from claw_webhook.mail import MailRefused, MailSender, MailUnavailable, Welcome, compose_welcome
from claw_webhook.metrics import Metrics
from claw_webhook.outbox import Outbox, PendingMail

logger = logging.getLogger(__name__)


class Sending:
    """Sends what the outbox holds. `public_url` is where customers reach this service."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        links: KeyLinks,
        mails: MailSender,
        sender: Address,
        public_url: str,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._outbox = outbox
        self._links = links
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
            if mail.gone:
                await mail.drop("the instance was gone before the mail left")
                self._metrics.mails.labels("dropped").inc()
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
                logger.exception("the %s mail of instance %s could not be made", mail.cause, mail.instance)
                await self._postpone(mail, type(error).__name__)
            else:
                await mail.sent()
                self._metrics.mails.labels("sent").inc()
                logger.info("the %s mail of instance %s has left", mail.cause, mail.instance)
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
        logger.error("the %s mail of instance %s %s", mail.cause, mail.instance, verdict)

    async def _send(self, mail: PendingMail) -> None:
        # Committed before the mail leaves: a link in somebody's hands must be known here, whatever happens next.
        token = await self._links.issue(mail.id)
        message = compose_welcome(
            Welcome(
                email=mail.email,
                name=mail.name,
                assistant_url=mail.url or "",
                key_link=f"{self._public_url}/keys/{token}",
            ),
            sender=self._sender,
            message_id=f"{mail.cause}.{mail.id}",
            now=self._clock(),
        )
        await self._mails.send(message)
