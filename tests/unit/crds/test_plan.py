"""Plans: quantities, what is offered, and the three that the chart installs."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from claw_crds.plan import ClawPlan, Models, Resources

PLANS = Path(__file__).parents[3] / "charts" / "claw" / "plans"


def installed() -> dict[str, ClawPlan]:
    documents = [yaml.safe_load(path.read_text()) for path in sorted(PLANS.glob("*.yaml"))]
    return {document["metadata"]["name"]: ClawPlan.model_validate(document) for document in documents}


def resources(**changes: str) -> Resources:
    return Resources.model_validate({"cpu": "1", "memory": "1Gi", "storage": "1Gi"} | changes)


@pytest.mark.parametrize(
    ("cpu", "millis"),
    [
        ("1m", 1),
        ("500m", 500),
        ("99999m", 99_999),
        ("0.5", 500),
        ("0.05", 50),
        ("0.25", 250),
        ("1", 1000),
        ("2.5", 2500),
    ],
)
def test_cpu_is_counted_in_thousandths(cpu: str, millis: int) -> None:
    assert resources(cpu=cpu).cpu_millis == millis


@pytest.mark.parametrize(
    "cpu", ["", "0", "0m", "0.0", "0.00", "00", "-1", "1.234", ".5", "1.", "1 ", "1\n", "1e3", "100"]
)
def test_no_cpu_at_all_is_no_cpu(cpu: str) -> None:
    with pytest.raises(ValidationError):
        resources(cpu=cpu)


@pytest.mark.parametrize(("quantity", "size"), [("1Mi", 1_048_576), ("512Mi", 536_870_912), ("2Gi", 2_147_483_648)])
def test_memory_and_storage_are_counted_in_bytes(quantity: str, size: int) -> None:
    assert resources(memory=quantity).memory_bytes == size
    assert resources(storage=quantity).storage_bytes == size


@pytest.mark.parametrize("quantity", ["", "0Mi", "1", "1M", "1GB", "1.5Gi", "1Ki", "01Gi", "1Gi\n", "1234567Mi"])
def test_other_quantities_are_refused(quantity: str) -> None:
    with pytest.raises(ValidationError):
        resources(memory=quantity)
    with pytest.raises(ValidationError):
        resources(storage=quantity)


def test_a_star_stands_for_every_skill() -> None:
    plans = installed()

    assert plans["team"].spec.offers("anything")
    assert plans["pro"].spec.offers("gmail")
    assert not plans["starter"].spec.offers("gmail")


def test_the_default_model_is_always_allowed() -> None:
    spec = installed()["pro"].spec.model_copy(update={"models": Models(default="claude-haiku-4-5")})

    assert spec.allows_model("claude-haiku-4-5")
    assert not spec.allows_model("claude-sonnet-4-5")


PRICE_LIST: list[tuple[str, dict[str, Any]]] = [
    (
        "starter",
        {
            "amount_monthly": 2900,
            "messages": 5_000,
            "agents": 3,
            "cpu": 500,
            "memory": 512 * 2**20,
            "storage": 100 * 2**20,
            "skills": {"chat", "memory", "web_search"},
        },
    ),
    (
        "pro",
        {
            "amount_monthly": 7900,
            "messages": 20_000,
            "agents": 10,
            "cpu": 1000,
            "memory": 2**30,
            "storage": 500 * 2**20,
            "skills": {"chat", "memory", "web_search", "gmail", "calendar", "browser"},
        },
    ),
    (
        "team",
        {
            "amount_monthly": 19900,
            "messages": 100_000,
            "agents": None,
            "cpu": 2000,
            "memory": 2 * 2**30,
            "storage": 2 * 2**30,
            "skills": {"*"},
        },
    ),
]


@pytest.mark.parametrize(("name", "promised"), PRICE_LIST)
def test_a_plan_gives_what_the_price_list_promises(name: str, promised: dict[str, Any]) -> None:
    spec = installed()[name].spec

    assert promised == {
        "amount_monthly": spec.price.amount_monthly,
        "messages": spec.limits.messages_per_month,
        "agents": spec.limits.agents,
        "cpu": spec.resources.cpu_millis,
        "memory": spec.resources.memory_bytes,
        "storage": spec.resources.storage_bytes,
        "skills": set(spec.skills),
    }


@pytest.mark.parametrize("name", ["starter", "pro", "team"])
def test_a_plan_is_found_by_its_stripe_price(name: str) -> None:
    stripe = installed()[name].spec.stripe

    assert stripe.price_ids == (f"price_{name}_monthly",)
    assert stripe.lookup_keys == (f"claw_{name}_monthly",)


def margin(plan: ClawPlan, tokens: float) -> float:
    """Percent of the price that remains when so many tokens were used, nine tenths of them read."""
    cost, price = plan.spec.cost, plan.spec.price.amount_monthly
    per_million = 0.9 * cost.per_million_input_tokens + 0.1 * cost.per_million_output_tokens
    return 100 * (price - cost.fixed_monthly - tokens / 1e6 * per_million) / price


@pytest.mark.parametrize("name", ["starter", "pro", "team"])
def test_a_plan_earns_what_it_should(name: str) -> None:
    plan = installed()[name]
    allowance = plan.spec.limits.tokens_per_month

    assert allowance is not None, "without a limit of tokens one customer could cost more than all others pay"
    assert 72 <= margin(plan, 0) <= 87
    assert margin(plan, 0.14 * allowance) >= 72, "a customer who uses a seventh of the tokens"
    assert margin(plan, allowance) > 0, "a customer who uses them all"


def test_a_bigger_plan_gives_more_of_everything() -> None:
    plans = installed()
    small, middle, big = (plans[name].spec for name in ("starter", "pro", "team"))

    for name in ("messages_per_month", "tokens_per_month", "api_calls_per_day", "memories", "concurrent_streams"):
        assert getattr(small.limits, name) < getattr(middle.limits, name) < getattr(big.limits, name)


def test_every_limit_is_published() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    for name in ClawPlan.model_json_schema(by_alias=True)["$defs"]["Limits"]["properties"]:
        assert f"`limits.{name}`" in page, name
