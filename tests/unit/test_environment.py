"""`.env.example` is the whole truth about the environment of operator, webhook and runtime."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from claw_operator.settings import Settings as OperatorSettings
from claw_runtime.settings import Settings as RuntimeSettings
from claw_webhook.settings import Settings as WebhookSettings

EXAMPLE = (Path(__file__).parents[2] / ".env.example").read_text()
LINES = re.findall(r"^(# )?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE)
SETTINGS: tuple[type[BaseModel], ...] = (OperatorSettings, WebhookSettings, RuntimeSettings)


def variables(settings: type[BaseModel]) -> dict[str, object]:
    """Every variable that these settings read, with its default."""
    return {field.alias or name.upper(): field.default for name, field in settings.model_fields.items()}


def test_the_example_has_every_variable_once_and_no_others() -> None:
    named = sorted(name for _, name, _ in LINES)
    assert named == sorted({name for settings in SETTINGS for name in variables(settings)})


@pytest.mark.parametrize("settings", SETTINGS)
def test_what_is_commented_out_is_the_default(settings: type[BaseModel]) -> None:
    known = variables(settings)
    for commented, name, value in LINES:
        if commented and value and name in known:
            assert written(known[name]) == value, name


def written(default: object) -> str:
    """A default as a person writes it."""
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default).rstrip("/")


def test_nobody_needs_what_is_commented_out() -> None:
    commented = {name for comment, name, _ in LINES if comment}
    required = {
        name
        for settings in (OperatorSettings, WebhookSettings)
        for name, default in variables(settings).items()
        if default is PydanticUndefined and not name.endswith("_DRIVER")
    }
    assert required & commented == set()


def test_the_example_holds_no_secret() -> None:
    assert [name for commented, name, value in LINES if value and not commented] == []
