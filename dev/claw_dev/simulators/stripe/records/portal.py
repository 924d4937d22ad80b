"""The page on which customers see to their subscriptions themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from claw_dev.simulators.stripe.records.record import Metadata, Record


@dataclass(frozen=True, kw_only=True)
class PortalConfiguration(Record):
    """What customers may do there."""

    OBJECT: ClassVar[str] = "billing_portal.configuration"
    PREFIX: ClassVar[str] = "bpc"

    features: Mapping[str, Any]
    """As the API shows them."""
    business_profile: Mapping[str, Any]
    default_return_url: str | None = None
    name: str | None = None
    active: bool = True
    is_default: bool = False
    metadata: Metadata = field(default_factory=dict)
    updated: int


@dataclass(frozen=True, kw_only=True)
class PortalSession(Record):
    """One visit."""

    OBJECT: ClassVar[str] = "billing_portal.session"
    PREFIX: ClassVar[str] = "bps"

    configuration: str
    customer: str
    url: str
    return_url: str | None = None
    locale: str | None = None
    flow: Mapping[str, Any] | None = None
