"""What confirms: an id of this conversation, or a code as a word of the customer's."""

import uuid
from datetime import UTC, datetime
from random import Random

import pytest

from claw_runtime.problems import PROPOSAL_GONE, Problem
from claw_runtime.turns.confirmations import Waiting, confirmed, new_code

EXPIRES = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MAIL = Waiting(uuid.UUID(int=1), "gmail_send", {"to": "bob@example.com"}, "Send the mail", "K7M4T2", EXPIRES)
EVENT = Waiting(uuid.UUID(int=2), "calendar_create", {}, "Create the event", "C2D3F4", EXPIRES)


@pytest.mark.parametrize("said", ["K7M4T2", "yes, k7m4t2!", "“K7M4T2”", "Do it: K7M4T2.\nThanks"])
def test_the_code_confirms_as_a_word(said: str) -> None:
    assert confirmed([MAIL, EVENT], [], said) == (MAIL,)


@pytest.mark.parametrize("said", ["yes", "do it", "K7M4T22", "xK7M4T2", "K7 M4 T2", "K7M4T2_x", ""])
def test_nothing_else_does(said: str) -> None:
    assert confirmed([MAIL, EVENT], [], said) == ()


def test_the_id_confirms_and_both_can_be_confirmed_at_once() -> None:
    assert confirmed([MAIL, EVENT], [EVENT.id], "ok") == (EVENT,)
    assert confirmed([MAIL, EVENT], [MAIL.id, MAIL.id], "and c2d3f4") == (MAIL, EVENT)


def test_an_id_that_waits_for_nothing_is_refused() -> None:
    with pytest.raises(Problem) as refused:
        confirmed([MAIL], [MAIL.id, EVENT.id], "K7M4T2")

    assert refused.value.kind is PROPOSAL_GONE


def test_codes_are_no_words_and_differ() -> None:
    codes = {new_code(Random(seed)) for seed in range(300)}

    assert len(codes) > 290
    assert all(len(code) == 6 and not code.isalpha() and code.isupper() for code in codes)
    assert not {"0", "O", "1", "I", "L", "8", "B"} & set("".join(codes))
