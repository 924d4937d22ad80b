"""Whether Stripe really sent it: the signature over the raw bytes, before anybody parses them."""

from collections.abc import Iterable

import stripe

TOLERANCE_SECONDS = 300


class Forged(Exception):
    """No signature of ours is on it, or one that is too old."""


def verify(payload: bytes, header: str | None, secrets: Iterable[str]) -> str:
    """The payload as text, if any of the secrets signed it within the last five minutes. Raises Forged.

    Stripe's own check is used. It refuses old time stamps and takes those of the future: nobody but Stripe could have
    made one, a clock of ours that runs late must not turn payments away, and a replay is stored only once in any case.
    """
    if header is None:
        raise Forged("the Stripe-Signature header is missing")
    reason = "no signing secret is configured"
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(payload, header, secret, TOLERANCE_SECONDS)
            return payload.decode()
        except stripe.SignatureVerificationError as error:
            reason = error.user_message or reason
        except (ValueError, TypeError):  # not UTF-8, or a header that is not ASCII
            reason = "payload or header is not text"
    raise Forged(reason)
