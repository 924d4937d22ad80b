"""How the services are started."""

from pathlib import Path

import pytest

from claw_dev import services
from claw_dev.installation import ServiceAccounts
from claw_dev.processes import inherited_environment

ACCOUNTS = ServiceAccounts(operator=Path("/stack/operator.kubeconfig"), webhook=Path("/stack/webhook.kubeconfig"))
SIMULATED = services.chosen_model({}, "http://127.0.0.1:1")


def test_without_a_key_of_the_persons_the_simulator_answers() -> None:
    assert SIMULATED.simulated
    assert SIMULATED.url == "http://127.0.0.1:1"
    assert SIMULATED.key


def test_with_a_key_of_the_persons_anthropic_answers() -> None:
    model = services.chosen_model({"ANTHROPIC_API_KEY": "sk-ant-real"}, "http://127.0.0.1:1")

    assert not model.simulated
    assert (model.url, model.key) == ("https://api.anthropic.com", "sk-ant-real")


def test_a_key_is_not_part_of_what_a_model_says_of_itself() -> None:
    assert "sk-ant-real" not in repr(services.chosen_model({"ANTHROPIC_API_KEY": "sk-ant-real"}, ""))


def test_operator_and_webhook_are_who_they_are() -> None:
    stripe = services.Stripe("http://127.0.0.1:3", "sk_test_1", "whsec_1")
    operator = services.operator_program("http://127.0.0.1:2", ACCOUNTS, {}, SIMULATED, "http://127.0.0.1:4")
    webhook = services.webhook_program("http://127.0.0.1:4", ACCOUNTS, "postgresql://c", stripe, "smtp://127.0.0.1:5")

    assert operator.environment["KUBECONFIG"] == str(ACCOUNTS.operator)
    assert webhook.environment["KUBECONFIG"] == str(ACCOUNTS.webhook)
    assert operator.environment["CLAW_FRONT_URL"] == webhook.environment["PUBLIC_URL"]


@pytest.mark.parametrize(
    "name", ["KUBECONFIG", "DATABASE_URL", "ANTHROPIC_API_KEY", "STRIPE_SECRET_KEY", "RAILWAY_TOKEN", "AWS_PROFILE"]
)
def test_no_program_inherits_the_persons_credentials(name: str) -> None:
    assert name not in inherited_environment({"PATH": "/bin", name: "secret"})


def test_loopback_is_reached_without_the_persons_proxy() -> None:
    environment = inherited_environment({"HTTPS_PROXY": "http://proxy", "NO_PROXY": "example.com"})

    assert environment["HTTPS_PROXY"] == "http://proxy"
    assert "127.0.0.1" in environment["NO_PROXY"]
