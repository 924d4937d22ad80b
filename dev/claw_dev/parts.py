"""What a stack consists of, and what needs what. Pure."""

from collections.abc import Iterable
from enum import StrEnum


class Part(StrEnum):
    """One thing that is started, and shown, as a whole."""

    KUBERNETES = "kubernetes"
    POSTGRES = "postgres"
    MAIL = "mail"
    STRIPE = "stripe"
    CLAUDE = "claude"
    RAILWAY = "railway"
    NEON = "neon"
    OPERATOR = "operator"
    WEBHOOK = "webhook"


class Providers(StrEnum):
    """Who makes computes and databases in a stack."""

    LOCAL = "local"
    """Processes and databases of this machine."""
    SIMULATED = "simulated"
    """The Railway and Neon drivers, against simulators of both."""
    CLOUD = "cloud"
    """The real Railway and Neon, with the tokens of the person. Costs money."""


NEEDS: dict[Part, frozenset[Part]] = {
    Part.KUBERNETES: frozenset(),
    Part.POSTGRES: frozenset(),
    Part.MAIL: frozenset(),
    Part.STRIPE: frozenset(),
    Part.CLAUDE: frozenset(),
    Part.RAILWAY: frozenset(),
    Part.NEON: frozenset({Part.POSTGRES}),
    Part.OPERATOR: frozenset({Part.KUBERNETES, Part.POSTGRES, Part.CLAUDE}),
    Part.WEBHOOK: frozenset({Part.KUBERNETES, Part.POSTGRES, Part.STRIPE, Part.MAIL}),
}
"""What must be ready before a part starts; everything else starts side by side."""

SIMULATORS = frozenset({Part.RAILWAY, Part.NEON})
"""Only in a stack whose providers are simulated; there, the operator needs them."""

EVERYTHING = frozenset(Part) - SIMULATORS


def everything(providers: Providers) -> frozenset[Part]:
    """All parts of a stack with these providers."""
    return frozenset(Part) if providers is Providers.SIMULATED else EVERYTHING


def needs(part: Part, providers: Providers) -> frozenset[Part]:
    """What must be ready before the part starts, in a stack with these providers."""
    if part is Part.OPERATOR and providers is Providers.SIMULATED:
        return NEEDS[part] | SIMULATORS
    return NEEDS[part]


def with_needs(parts: Iterable[Part], providers: Providers = Providers.LOCAL) -> frozenset[Part]:
    """The parts and everything that they need."""
    complete: set[Part] = set()
    open_parts = list(parts)
    while open_parts:
        part = open_parts.pop()
        if part not in complete:
            complete.add(part)
            open_parts.extend(needs(part, providers))
    return frozenset(complete)
