"""How our own services and the simulators are started: command line and environment of each. Pure."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from claw_crds.configuration import ENV_FRONT_URL
from claw_dev.installation import NAMESPACE, ServiceAccounts
from claw_dev.parts import Part
from claw_dev.ports import LOOPBACK
from claw_dev.processes import Program

ANTHROPIC = "https://api.anthropic.com"
_STAND_IN_KEY = "sk-ant-stand-in"
_MAIL_FROM = "Claw <hello@claw.localhost>"
# The services announce how long they take to end; these are a little longer than that.
_OPERATOR_SHUTDOWN = 5
_STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class Model:
    """Whose language model the runtimes talk to."""

    url: str
    key: str = field(repr=False)
    simulated: bool


def chosen_model(environment: Mapping[str, str], simulator_url: str) -> Model:
    """Anthropic's when the person has a key, else the simulator, which needs none."""
    if key := environment.get("ANTHROPIC_API_KEY"):
        return Model(environment.get("ANTHROPIC_BASE_URL") or ANTHROPIC, key, simulated=False)
    return Model(simulator_url, _STAND_IN_KEY, simulated=True)


@dataclass(frozen=True)
class Stripe:
    """The simulated Stripe account of a stack."""

    url: str
    """The base of its API."""
    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


def stripe_program(stripe: Stripe, webhook_url: str) -> Program:
    """The Stripe simulator, which delivers events to the webhook service."""
    arguments = (f"--webhook-url={webhook_url}/webhooks/stripe", f"--webhook-secret={stripe.webhook_secret}")
    return module_program("claw_dev.simulators.stripe", Part.STRIPE, f"--port={port_of(stripe.url)}", *arguments)


def claude_program(model: Model) -> Program:
    """The Claude simulator."""
    return module_program("claw_dev.simulators.claude", Part.CLAUDE, f"--port={port_of(model.url)}")


def operator_program(
    url: str, accounts: ServiceAccounts, providers: Mapping[str, str], model: Model, front_url: str
) -> Program:
    """The operator, as its service account. `providers` is its environment as far as that tells of them.

    `front_url` is where runtimes find the webhook service, which sends their mails.
    """
    environment = {
        **providers,
        "HOST": LOOPBACK,
        "PORT": port_of(url),
        "KUBECONFIG": str(accounts.operator),
        "CLAW_NAMESPACE": NAMESPACE,
        "CLAW_SHUTDOWN_SECONDS": str(_OPERATOR_SHUTDOWN),
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": model.key,
        ENV_FRONT_URL: front_url,
    }
    return module_program("claw_operator", Part.OPERATOR, environment=environment)


def webhook_program(url: str, accounts: ServiceAccounts, customers_url: str, stripe: Stripe, smtp_url: str) -> Program:
    """The webhook service, as its service account, with a Stripe that is the simulator."""
    environment = {
        "HOST": LOOPBACK,
        "PORT": port_of(url),
        "PUBLIC_URL": url,
        "DATABASE_URL": customers_url,
        "STRIPE_SECRET_KEY": stripe.secret_key,
        "STRIPE_WEBHOOK_SECRET": stripe.webhook_secret,
        "STRIPE_API_URL": stripe.url,
        "SMTP_URL": smtp_url,
        "MAIL_FROM": _MAIL_FROM,
        "CLAW_NAMESPACE": NAMESPACE,
        "KUBECONFIG": str(accounts.webhook),
    }
    return module_program("claw_webhook", Part.WEBHOOK, environment=environment)


def environment_file(program: Program) -> str:
    """The program's environment as the text of a .env file. It holds secrets."""
    return "".join(f"{name}='{value}'\n" for name, value in sorted(program.environment.items()))


def port_of(url: str) -> str:
    """The port that a service is to listen at."""
    return str(urlsplit(url).port)


def module_program(module: str, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Program:
    """A Python module, run by this same interpreter."""
    argv = (sys.executable, "-m", module, *arguments)
    return Program(name, argv, environment=environment or {}, stop_timeout=_STOP_TIMEOUT)
