"""The environment is checked before anything is opened, and never printed with its secrets."""

import pytest

from claw_webhook.settings import InvalidSettings, MailServer, load_settings

ENVIRONMENT = {
    "PUBLIC_URL": "https://claw.example/",
    "DATABASE_URL": "postgresql://claw:canary-database@localhost/claw",
    "STRIPE_SECRET_KEY": "sk_test_canary",
    "STRIPE_WEBHOOK_SECRET": "whsec_canary_new, whsec_canary_old",
    "SMTP_URL": "smtps://mailer:canary%40mail@smtp.example",
    "MAIL_FROM": "Claw <hello@claw.example>",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "KUBECONFIG", "CLAW_NAMESPACE", "CLAW_LOG_LEVEL", "STRIPE_API_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def test_a_complete_environment_is_understood() -> None:
    settings = load_settings()
    assert settings.public_url == "https://claw.example"
    assert [secret.get_secret_value() for secret in settings.stripe_webhook_secret] == [
        "whsec_canary_new",
        "whsec_canary_old",
    ]
    assert settings.mail_server == MailServer("smtp.example", 465, tls=True, username="mailer", password="canary@mail")
    assert (settings.sender.display_name, settings.sender.addr_spec) == ("Claw", "hello@claw.example")
    assert settings.claw_namespace == "claw"


def test_no_secret_is_printed() -> None:
    settings = load_settings()
    assert "canary" not in f"{settings!r} {settings.redacted()} {settings.mail_server!r}"


def test_every_wrong_variable_is_named_at_once_and_none_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", " , ")
    monkeypatch.setenv("SMTP_URL", "imap://mailer:canary@mail")
    monkeypatch.setenv("PUBLIC_URL", "claw.example/canary")
    monkeypatch.setenv("PORT", "canary")
    with pytest.raises(InvalidSettings) as refused:
        load_settings()
    message = str(refused.value)
    assert [line.split(":")[0] for line in message.splitlines()] == [
        "PORT",
        "PUBLIC_URL",
        "DATABASE_URL",
        "STRIPE_WEBHOOK_SECRET",
        "SMTP_URL",
    ]
    assert "canary" not in message


@pytest.mark.parametrize(
    "sender", ["", "Claw", "a@b@c", "Claw <hello@claw.example>\r\nBcc: x@example.com", "a@example.com, b@example.com"]
)
def test_a_sender_is_one_address(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_FROM", sender)
    with pytest.raises(InvalidSettings, match=r"MAIL_FROM: (must be one address|Field required)"):
        load_settings()
