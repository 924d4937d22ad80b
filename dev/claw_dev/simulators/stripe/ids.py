"""Ids as Stripe makes them: a prefix that tells the kind, then letters and digits of both cases."""

import string
from random import Random

_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits

_LENGTHS = {
    "cus": 14,
    "prod": 14,
    "si": 14,
    "req": 14,
    "sub": 24,
    "price": 24,
    "evt": 24,
    "in": 24,
    "il": 24,
    "li": 24,
    "cs_test": 62,
    "clock": 24,
    "di": 24,
    "coupon": 8,
    "sub_sched": 24,
    "bpc": 24,
    "bps": 24,
    "mtr_test": 24,
    "mtr_event": 24,
    "mtrusg_test": 24,
}

# The longer ids begin with the generation of their format, so that a real one and ours look alike.
_LEADS = {24: "1", 62: "a1"}


def new_id(random: Random, prefix: str) -> str:
    """A new id such as `cus_R3kVbn2Wq8LzXe`. The same seed gives the same ids in the same order."""
    length = _LENGTHS[prefix]
    lead = _LEADS.get(length, "")
    if prefix == "coupon":  # the one kind whose ids have none
        return "".join(random.choices(_ALPHABET, k=length))
    return f"{prefix}_{lead}{''.join(random.choices(_ALPHABET, k=length - len(lead)))}"
