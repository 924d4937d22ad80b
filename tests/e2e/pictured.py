"""What the mails and pages are filled with when their pictures are taken: every state that somebody can see."""

from datetime import timedelta
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import yaml

from claw_crds.v1alpha1 import ClawPlan
from claw_webhook.billing import Standing
from claw_webhook.front.accounts import Held
from claw_webhook.front.google_pages import SCOPES
from claw_webhook.front.offers import money, promises
from claw_webhook.front.stages import Outcome, Picture, Progress, progress
from claw_webhook.front.standing_words import Card, card
from claw_webhook.mails.letters import letter
from claw_webhook.mails.mail import compose
from claw_webhook.stripe_objects import CheckoutSession
from tests.unit.webhook.test_letters import ACCOUNT, CAUSES, FOR_GOOD, NOW, facts

_PLANS = Path(__file__).parents[2] / "charts" / "claw" / "plans"
PLANS = {
    name: ClawPlan.model_validate(yaml.safe_load((_PLANS / f"{name}.yaml").read_text()))
    for name in ("starter", "pro", "team")
}
LONG = "https://a-rather-long-name-for-an-assistant-0123456789.up.railway.example"
LATER = NOW + timedelta(days=12)

MAILS: dict[str, dict[str, Any]] = {
    **{cause: {} for cause in CAUSES},
    "welcome of a long address": {"url": LONG},
    "suspended by hand": {"standing": Standing.PAUSED},
    "goodbye without data": {"deletion_at": None},
    "goodbye with data kept for good": {"deletion_at": FOR_GOOD},
    "payment_failed without a name": {"name": None, "details": {}},
    "message of one long word": {"details": {"subject": "x" * 90, "text": "https://claw.example/" + "x" * 300}},
}


def mail(name: str) -> str:
    """The HTML of one of MAILS."""
    about = facts(name.partition(" ")[0], **MAILS[name])
    until = NOW + timedelta(days=7)
    written = letter(about, link=f"{ACCOUNT}/{'t' * 43}", link_until=until, account=ACCOUNT, now=NOW)
    sender = Address("Claw", addr_spec="hello@claw.example")
    message = compose(written, address="ada@example.com", sender=sender, message_id="1", now=NOW)
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def _card(standing: Standing, *, cancels: bool = False, deleted: bool = False) -> Card:
    held = Held(
        id=f"sub_{standing}",
        plan="pro",
        standing=standing,
        trial_end=LATER,
        grace_until=LATER,
        paid_until=LATER,
        cancels=cancels,
        deletion_at=LATER if standing == Standing.ENDED else None,
        instance=None if deleted else "claw-1",
        url=None if deleted else LONG,
    )
    return card(held, PLANS["pro"], timezone="Europe/London", now=NOW)


def _progress(**picture: Any) -> Progress:
    session = CheckoutSession(id="cs_1", status="complete", payment_status="paid", subscription="sub_1")
    return progress(session, Picture(**picture))


def _welcome(shown: Progress, **words: Any) -> dict[str, Any]:
    script = "pages/welcome.js" if shown.goes_on else ""
    return {
        "progress": shown,
        "script": script,
        "session": "cs_1",
        "pay_at": None,
        "link": None,
        "key_shown": False,
    } | words


_GOOGLE: dict[str, Any] = {"subscription": "sub_1", "scopes": SCOPES}
PAGES: dict[str, dict[str, Any]] = {
    "ask": {},
    "key": {"key": "claw_" + "k" * 49, "url": LONG},
    **{f"closed {state}": {"state": state} for state in ("used", "expired", "gone", "unknown", "unavailable")},
    "plans": {
        "offers": [
            {
                "plan": name,
                "name": plan.spec.display_name,
                "price": money(plan.spec.price.amount_monthly, plan.spec.price.currency),
                "trial_days": plan.spec.trial_days,
                "promises": promises(plan),
            }
            for name, plan in PLANS.items()
        ]
    },
    "plans sold out": {"offers": []},
    "welcome unpaid": _welcome(Progress(Outcome.OPEN), pay_at="https://checkout.stripe.example/c/pay"),
    "welcome expired": _welcome(Progress(Outcome.EXPIRED)),
    "welcome bank": _welcome(Progress(Outcome.BANK)),
    "welcome working": _welcome(_progress(recorded=True, ready=["DatabaseReady"])),
    "welcome ready": _welcome(_progress(recorded=True, available=True), link="/keys/" + "t" * 43),
    "welcome ready elsewhere": _welcome(_progress(recorded=True, available=True)),
    "welcome stuck": _welcome(_progress(recorded=True, refused=True)),
    "welcome gone": _welcome(_progress(recorded=True, gone=True)),
    **{f"sign_in {state}": {"state": state} for state in ("ask", "no_address", "sent", "confirm", "over")},
    **{
        f"account {standing}": {"email": "ada@example.com", "cards": [_card(standing)], "google": True}
        for standing in Standing
    },
    "account of many": {
        "email": "a.rather.long.address.of.a.person@some.department.of.a.company.example",
        "cards": [
            _card(Standing.ACTIVE, cancels=True),
            _card(Standing.GRACE),
            _card(Standing.ENDED, deleted=True),
        ],
        "google": False,
    },
    "account without": {"email": "ada@example.com", "cards": [], "google": True},
    "google": _GOOGLE | {"address": None, "connected": [], "problem": None},
    "google connected": _GOOGLE | {"address": "ada@example.com", "connected": ["Gmail", "Calendar"], "problem": None},
    "google in trouble": _GOOGLE
    | {
        "address": "a.rather.long.address.of.a.person@some.department.of.a.company.example",
        "connected": ["Gmail"],
        "problem": "Google no longer accepts the connection. Connect the account again.",
    },
    **{f"google_refused {how}": {"back": "/account", "denied": how == "denied"} for how in ("denied", "failed")},
    "export": {"until": "22 December 2026, 12:00 UTC"},
    **{f"export_closed {state}": {"state": state} for state in ("unknown", "gone", "unavailable")},
    "sorry": {"title": "Not right now", "text": "This does not work at the moment. Please try again in a minute."},
}
