"""What Railway answers, as far as the driver uses it. Pure.

Tolerant on purpose: fields that we do not know are dropped, enum values are plain words, and where a part of the
environment's configuration has a shape that we do not understand, that part is unknown instead of the whole fleet.
"""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic.alias_generators import to_camel

T = TypeVar("T")


class Model(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


def _or_unknown(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    try:
        return parse(value)
    except ValidationError:
        return None


Perhaps = Annotated[T | None, WrapValidator(_or_unknown)]
"""None when it is missing and when it is not understood."""


class Edge(Model, Generic[T]):
    """One entry of a connection."""

    node: T


class PageInfo(Model):
    """Where the next page begins."""

    has_next_page: bool
    end_cursor: str | None = None


class Connection(Model, Generic[T]):
    """One page of a list."""

    edges: tuple[Edge[T], ...]
    page_info: PageInfo = PageInfo(has_next_page=False)

    @property
    def nodes(self) -> tuple[T, ...]:
        """The page's entries."""
        return tuple(edge.node for edge in self.edges)


class TokenScope(Model):
    """The one environment that a project token is for."""

    project_id: str
    environment_id: str


class EnvironmentName(Model):
    """An environment of the project."""

    id: str
    name: str = ""
    is_ephemeral: bool = False
    deleted_at: str | None = None


class Replica(Model):
    """One running copy of a deployment."""

    status: str


class Deployment(Model):
    """A deployment; `service_id` is missing in lists of one service."""

    id: str
    status: str
    service_id: str | None = None
    created_at: str = ""
    deployment_stopped: bool = False
    instances: tuple[Replica, ...] = ()


class Source(Model):
    """Where the runtime's image comes from."""

    image: str | None = None
    repo: str | None = None
    branch: str | None = None


class ServiceId(Model):
    """A service that was made."""

    id: str


class ServiceDomain(Model):
    """The address that Railway gives."""

    id: str = ""
    domain: str


class DnsRecord(Model):
    """A record that the owner of a domain has to set."""

    record_type: str = ""
    hostlabel: str = ""
    required_value: str = ""
    status: str = ""


class CustomDomainStatus(Model):
    """How far a custom domain has come."""

    verified: bool = False
    dns_records: tuple[DnsRecord, ...] = ()


class CustomDomain(Model):
    """A domain of the customer's own."""

    id: str = ""
    domain: str
    status: CustomDomainStatus = CustomDomainStatus()


class Domains(Model):
    """All addresses of a service."""

    service_domains: tuple[ServiceDomain, ...] = ()
    custom_domains: tuple[CustomDomain, ...] = ()


class ServiceInstance(Model):
    """A service in our environment."""

    service_id: str
    service_name: str
    deleted_at: str | None = None
    source: Source | None = None
    region: str | None = None
    num_replicas: int | None = None
    sleep_application: bool | None = None
    healthcheck_path: str | None = None
    restart_policy_type: str | None = None
    restart_policy_max_retries: int | None = None
    latest_deployment: Deployment | None = None
    active_deployments: tuple[Deployment, ...] = ()
    domains: Domains = Domains()


class ConfigVariable(Model):
    """A variable in the environment's configuration; the value of a sealed one is never told."""

    value: str | None = Field(default=None, repr=False)
    is_sealed: bool = False


class ConfigContainers(Model):
    """What one replica may use."""

    cpu: Perhaps[float] = None
    memory_bytes: Perhaps[float] = None


class ConfigLimits(Model):
    """The limits that were set; without them the account's own hold."""

    containers: Perhaps[ConfigContainers] = None


class ConfigDeploy(Model):
    """How a service is run."""

    limit_override: Perhaps[ConfigLimits] = None


class ConfigService(Model):
    """A service in the environment's configuration."""

    source: Perhaps[Source] = None
    variables: Perhaps[dict[str, Perhaps[ConfigVariable]]] = None
    deploy: Perhaps[ConfigDeploy] = None


class Config(Model):
    """The environment's configuration."""

    services: dict[str, Perhaps[ConfigService]] = {}


class FleetPage(Model):
    """One page of the environment's services; the first one bears the configuration."""

    config: Perhaps[Config] = None
    service_instances: Connection[ServiceInstance]


class LogLine(Model):
    """A line of a build or of a running deployment."""

    message: str
    severity: str | None = None
