"""The `Stripe-Signature` header: a time, and an HMAC of time and body for each secret of the endpoint. Pure."""

import hmac
from collections.abc import Iterable

HEADERS = {
    "Accept": "*/*; q=0.5, application/xml",
    "Cache-Control": "no-cache",
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
}
"""What every delivery carries besides."""


def sign(body: bytes, secrets: Iterable[str], moment: int) -> str:
    """The header's value. While an endpoint's secret is rolled there are two secrets, and so two signatures."""
    signatures = (hmac.digest(secret.encode(), b"%d." % moment + body, "sha256").hex() for secret in secrets)
    return ",".join([f"t={moment}", *(f"v1={signature}" for signature in signatures)])
