"""Names that hurt."""

import pytest

from claw_crds.v1alpha1 import Customer
from claw_webhook.cleaning import NAME_LENGTH, clean_line, greeting_name

HOSTILE_NAMES = [
    "A" * 10_000,
    "é" * 10_000,
    "e\u0301" * 10_000,
    "👩\u200d🚀" * 3_000,
    "Ada\r\nBcc: all@example.com",
    "Ada\nLovelace\tCountess",
    "Ada\u2028Lovelace\u2029",
    "${{Postgres.DATABASE_URL}}",
    "{{ 7 * 7 }}{% for x in y %}",
    "\u202eecalevoL adA\u202c",
    "\u2066Ada\u2069\u200f",
    "Ada\x00\x1b[31m\x7f\x85",
    "<script>alert(1)</script>",
    "'; DROP TABLE customers; --",
    "Ada\ud800",
    "\ufeffAda\u200b",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_becomes_one_that_the_schema_accepts(name: str) -> None:
    cleaned = clean_line(name)
    assert cleaned is not None
    assert 0 < len(cleaned) <= NAME_LENGTH
    assert Customer(id="cus_1", email="a@example.com", name=cleaned).name == cleaned


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("Ada\r\nLovelace", "Ada Lovelace"),
        ("\u202eAda\u202c", "Ada"),
        ("${{x}}", "${{x}}"),
        ("e\u0301", "é"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        (" \n\t\u200b", None),
        ("", None),
        (None, None),
    ],
)
def test_what_is_meant_stays_and_what_is_hidden_goes(name: str | None, cleaned: str | None) -> None:
    assert clean_line(name) == cleaned


@pytest.mark.parametrize("name", ["Ada Lovelace", "Dr. O'Brien-Smith", "Ünal", "陈 小明", "María José", "विजय"])
def test_a_mail_greets_with_a_name(name: str) -> None:
    assert greeting_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        None,
        "http://evil.example/won",
        "evil.example",
        "You won $1000",
        "call +1 555",
        "<b>Ada</b>",
        "${{x}}",
        "Ada, click here: now",
        "A" * 61,
        "x@example.com",
        "-",
    ],
)
def test_a_mail_does_not_carry_somebody_elses_message(name: str | None) -> None:
    assert greeting_name(name) is None
