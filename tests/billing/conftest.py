"""How large the proof is: `make test-billing ARGS="--subscriptions 50 --seed 3"`."""

from dataclasses import dataclass

import pytest

_SUBSCRIPTIONS = 500
_DAYS = 730


@dataclass(frozen=True)
class Scale:
    """Of one run."""

    subscriptions: int
    days: int
    seed: int

    @property
    def deliveries(self) -> int:
        """How many there have to be at least: 10,000 at full scale."""
        return 20 * self.subscriptions * self.days // _DAYS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of this folder alone."""
    group = parser.getgroup("billing")
    group.addoption("--subscriptions", type=int, default=_SUBSCRIPTIONS, help="how many there are in all")
    group.addoption("--days", type=int, default=_DAYS, help="how many days are simulated")
    group.addoption("--seed", type=int, default=1, help="draws other lives, another order, other kills")


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    """How large this run is."""
    option = pytestconfig.getoption
    return Scale(option("--subscriptions"), option("--days"), option("--seed"))
