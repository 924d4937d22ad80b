"""When a conversation is shortened, and what of it the summary stands for."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from claw_runtime.turns.compaction import Window, affordable, due, fitted, to_summarise
from claw_runtime.turns.history import Said, newest, tokens_of
from claw_runtime.turns.strands import MAX_MESSAGES, Strand


def strand(*lengths: int, summary: str | None = None) -> Strand:
    said = [
        message
        for number, length in enumerate(lengths)
        for message in (Said(2 * number + 1, "user", "q"), Said(2 * number + 2, "assistant", "a" * length))
    ]
    return Strand(uuid.UUID(int=1), "main", is_new=False, history=tuple(said), summary=summary)


def test_the_history_has_what_the_rest_leaves_free() -> None:
    window = Window(tokens=60_000, reserve=20_000, soft=4_000)

    assert window.room(taken=6_000) == 30_000
    assert window.room(taken=90_000) == 0


def test_a_conversation_is_shortened_when_it_does_not_fit_or_has_very_many_messages() -> None:
    assert not due(strand(100, 100), room=100)
    assert due(strand(400, 400), room=100)
    assert due(strand(100, 100, summary="s" * 400), room=100)
    assert due(strand(*[1] * (MAX_MESSAGES // 2)), room=100_000)


def test_a_month_that_is_nearly_used_up_is_kept_for_answers() -> None:
    long = strand(3_500, 3_500)

    assert affordable(long, None)
    assert affordable(long, 7_000)
    assert not affordable(long, 5_000)


def test_the_newest_messages_stay_as_they_were_said() -> None:
    history = strand(350, 350, 350, 70).history

    beginning = to_summarise(history, room=400, most=10_000)

    assert beginning == history[:6]


def test_a_very_long_beginning_is_shortened_in_portions_the_oldest_first() -> None:
    history = strand(3500, 3500, 3500, 10).history

    assert to_summarise(history, room=100, most=2_100) == history[:4]
    assert to_summarise(history, room=100, most=10) == history[:2], "a first turn that is too long goes alone"


@given(st.lists(st.integers(0, 2_000), max_size=10), st.integers(1, 4_000), st.integers(1, 4_000))
def test_summary_and_rest_are_all_there_is(lengths: list[int], room: int, most: int) -> None:
    history = strand(*lengths).history

    beginning = to_summarise(history, room, most)

    assert history[: len(beginning)] == beginning
    assert len(beginning) % 2 == 0
    assert len(beginning) + len(newest(history, room // 4)) <= len(history)
    assert len(beginning) <= 2 or sum(tokens_of(said.content) for said in beginning) <= most


def test_what_does_not_fit_is_left_out_from_its_oldest_end() -> None:
    whole = strand(350, 350, 35)

    assert fitted(whole, room=130).history == whole.history[2:]
