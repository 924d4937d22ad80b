"""Where commands find the database, Stripe and the cluster: in one place, and never half here and half there."""

from pathlib import Path

import pytest

from claw_webhook.console.environment import NotConfigured, read_environment

STACK = "DATABASE_URL='postgresql://stack/customers'\nSTRIPE_SECRET_KEY='sk_stack'\nSTRIPE_API_URL='http://stack/'\n"
SHELL = {"DATABASE_URL": "postgresql://shell/customers", "KUBECONFIG": "/somewhere"}


@pytest.fixture
def stack(tmp_path: Path) -> dict[str, str]:
    """The variables of a shell in a folder in which a stack runs."""
    (tmp_path / "webhook.env").write_text(STACK)
    return {"CLAW_DIRECTORY": str(tmp_path)}


def test_the_local_stack_is_found(stack: dict[str, str]) -> None:
    environment = read_environment(None, stack)
    assert environment.database_url == "postgresql://stack/customers"
    assert environment.stripe_api_url == "http://stack"
    assert environment.namespace == "claw"


@pytest.mark.parametrize("secret", ["DATABASE_URL", "STRIPE_SECRET_KEY"])
def test_who_has_a_secret_in_the_environment_means_that_one(stack: dict[str, str], secret: str) -> None:
    environment = read_environment(None, stack | {secret: "something"})
    assert environment.source == "the environment"
    assert environment.stripe_api_url == "https://api.stripe.com"


def test_a_file_that_is_named_counts_alone(tmp_path: Path, stack: dict[str, str]) -> None:
    file = tmp_path / "production.env"
    file.write_text("STRIPE_SECRET_KEY=sk_production\n")
    environment = read_environment(file, stack | SHELL)
    assert environment.stripe_secret_key == "sk_production"
    with pytest.raises(NotConfigured, match=f"DATABASE_URL is not set in {file}"):
        _ = environment.database_url
    with pytest.raises(NotConfigured, match="KUBECONFIG is not set"):
        _ = environment.kubeconfig


def test_a_dollar_in_a_password_is_a_dollar(tmp_path: Path) -> None:
    file = tmp_path / "webhook.env"
    file.write_text("DATABASE_URL='postgresql://claw:a${HOME}b@host/customers'\n")
    assert read_environment(file, {}).database_url == "postgresql://claw:a${HOME}b@host/customers"


def test_nothing_set_tells_where_variables_may_come_from(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="--env-file"):
        _ = read_environment(None, {"CLAW_DIRECTORY": str(tmp_path)}).database_url


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="there is no file"):
        read_environment(tmp_path / "nothing.env", {})
    with pytest.raises(NotConfigured, match="names a file that is not there"):
        _ = read_environment(None, SHELL).kubeconfig


def test_secrets_do_not_show_when_it_is_printed(stack: dict[str, str]) -> None:
    assert "sk_stack" not in repr(read_environment(None, stack))
