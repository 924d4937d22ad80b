"""What tokens cost, and how a turn's entries are put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw_crds.configuration import ModelPrices
from claw_runtime.turns.messages import Tokens
from claw_runtime.usage.daily import Spent, cost_micros, together, total

PRICES = ModelPrices(per_million_input_tokens=300, per_million_output_tokens=1500)
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("tokens", "smallest_units"),
    [
        (Tokens(), 0),
        (Tokens(input=MILLION), 300),
        (Tokens(output=MILLION), 1500),
        (Tokens(cache_write=MILLION), 375),
        (Tokens(cache_read=MILLION), 30),
        (Tokens(input=MILLION, cache_write=MILLION, cache_read=MILLION, output=MILLION), 2205),
        (Tokens(searches=5), 0),
    ],
    ids=["nothing", "read", "written", "kept a quarter dearer", "found again a tenth", "all", "searches have no price"],
)
def test_a_million_tokens_cost_their_price(tokens: Tokens, smallest_units: int) -> None:
    assert cost_micros(PRICES, tokens) == smallest_units * MILLION


def test_a_fraction_is_never_given_away() -> None:
    assert cost_micros(ModelPrices(per_million_input_tokens=1), Tokens(cache_read=1)) == 1


@given(
    st.lists(
        st.builds(
            Spent,
            st.sampled_from(["sonnet", "haiku"]),
            st.sampled_from(["chat", "compaction"]),
            st.builds(Tokens, input=st.integers(0, 1000), output=st.integers(0, 1000)),
            st.integers(0, 5),
        )
    )
)
def test_entries_are_one_for_each_model_and_purpose_in_one_order_and_nothing_is_lost(spent: list[Spent]) -> None:
    entries = together(spent)

    keys = [(entry.model, entry.purpose) for entry in entries]
    assert keys == sorted(set(keys))
    assert total(entries) == total(spent)
    assert sum(entry.calls for entry in entries) == sum(entry.calls for entry in spent)
