"""Where a command finds the database, Stripe and the cluster: the webhook service's own variables, as far as needed.

They come from one place and are never mixed: half of a stack's and half of production's would compare one with the
other. In this order: the file that `--env-file` names; the environment, where it has one of the two secrets; the file
that a local stack in this folder has written.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from claw_webhook.settings import Settings

_STACK_DIRECTORY = ".claw"
_STACK_FILE = "webhook.env"
_SECRETS = ("DATABASE_URL", "STRIPE_SECRET_KEY")


class NotConfigured(Exception):
    """A variable is missing or wrong. The message says which, and where it was looked for."""


@dataclass(frozen=True)
class Environment:
    """The variables of one place."""

    source: str
    """For the person: which place that is."""
    _variables: Mapping[str, str | None]

    def __repr__(self) -> str:
        return f"Environment({self.source!r})"

    @property
    def database_url(self) -> str:
        """The customers database."""
        return self._needed("DATABASE_URL")

    @property
    def stripe_secret_key(self) -> str:
        """Which account of Stripe's, and live or test."""
        return self._needed("STRIPE_SECRET_KEY")

    @property
    def stripe_api_url(self) -> str:
        """Stripe's own API, or a simulator's."""
        url = self._get("STRIPE_API_URL") or str(_default("stripe_api_url"))
        if urlsplit(url).scheme not in {"http", "https"}:
            raise NotConfigured(f"STRIPE_API_URL of {self.source} must be an http:// or https:// address")
        return url.rstrip("/")

    @property
    def namespace(self) -> str:
        """Where the ClawInstances are."""
        return self._get("CLAW_NAMESPACE") or str(_default("claw_namespace"))

    @property
    def kubeconfig(self) -> Path | None:
        """Which cluster; None inside of one."""
        path = self._get("KUBECONFIG")
        if path is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            return None
        if path is None:
            raise NotConfigured(f"KUBECONFIG is not set in {self.source}, and this is not a pod of a cluster")
        if not Path(path).is_file():
            raise NotConfigured(f"KUBECONFIG of {self.source} names a file that is not there")
        return Path(path)

    def _get(self, name: str) -> str | None:
        return self._variables.get(name) or None

    def _needed(self, name: str) -> str:
        value = self._get(name)
        if value is None:
            raise NotConfigured(
                f"{name} is not set in {self.source}. Commands take the webhook service's variables: from the"
                " environment, from a file with --env-file, or from the local stack that runs in this folder."
            )
        return value


def read_environment(file: Path | None, variables: Mapping[str, str] = os.environ) -> Environment:
    """The environment for a command. Raises NotConfigured when the file cannot be read."""
    if file is not None:
        if not file.is_file():
            raise NotConfigured(f"there is no file {file}")
        return Environment(str(file), dotenv_values(file, interpolate=False))
    stack = Path(variables.get("CLAW_DIRECTORY", _STACK_DIRECTORY)) / _STACK_FILE
    if not any(map(variables.get, _SECRETS)) and stack.is_file():
        return Environment(str(stack), dotenv_values(stack, interpolate=False))
    return Environment("the environment", variables)


def _default(field: str) -> object:
    return Settings.model_fields[field].default
