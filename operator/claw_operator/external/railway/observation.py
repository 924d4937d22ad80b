"""From what Railway tells of a service to what the loop knows of a compute. Pure."""

from collections.abc import Sequence

from claw_crds import configuration as wire
from claw_operator.external import ComputeState, Drift, ObservedCompute, ObservedDomain, Owner
from claw_operator.external.railway.fleet import Service
from claw_operator.external.railway.models import CustomDomain, Deployment
from claw_operator.external.railway.settings import SETTINGS, drift, drift_in, size_in
from claw_operator.external.railway.state import compute_state

_PROPAGATED = "DNS_RECORD_STATUS_PROPAGATED"
_TYPE = "DNS_RECORD_TYPE_"


def is_deployed(service: Service) -> bool:
    """Whether a deployment began after the settings were written."""
    latest = service.instance.latest_deployment
    return latest is not None and (service.note is None or latest.id != service.note.after)


def observed(
    service: Service, owner: Owner, *, scheme: str, may_follow: bool = False, message: str = ""
) -> ObservedCompute:
    """The compute. `may_follow`: the deployment of what was written may be on its way, and not to be seen yet."""
    instance, note = service.instance, service.note
    latest = instance.latest_deployment
    state = compute_state(latest, instance.active_deployments)
    fingerprint = service.variable(wire.ENV_FINGERPRINT)
    deployed = is_deployed(service)
    if not deployed and note is not None and may_follow:
        state = ComputeState.DEPLOYING
    elif not deployed:
        fingerprint = None
    return ObservedCompute(
        id=service.id,
        state=state,
        url=url_of(scheme, service.host),
        fingerprint=fingerprint,
        size=size_in(service.config, note),
        deployment_id=latest.id if latest is not None else None,
        message=message,
        asleep=latest is not None and latest.status == "SLEEPING",
        drift=_drift(service, owner, deployed=deployed),
        domain=domain_of(own_domain(service)),
    )


def url_of(scheme: str, host: str | None) -> str:
    """Where the runtime answers; empty while the service has no address."""
    return f"{scheme}://{host}" if host else ""


def own_domain(service: Service) -> CustomDomain | None:
    """The custom domain that we made, if it is still there."""
    name = service.note.domain if service.note is not None else None
    return named(service.instance.domains.custom_domains, name)


def named(domains: Sequence[CustomDomain], name: str | None) -> CustomDomain | None:
    """The custom domain of that name."""
    return next((domain for domain in domains if domain.domain == name), None)


def domain_of(domain: CustomDomain | None) -> ObservedDomain | None:
    """The custom domain with what its owner still has to set."""
    if domain is None:
        return None
    records = tuple(
        f"{record.record_type.removeprefix(_TYPE)} {record.hostlabel or '@'} -> {record.required_value}"
        for record in domain.status.dns_records
        if record.status != _PROPAGATED
    )
    return ObservedDomain(domain.domain, records)


def deployments_of(service: Service) -> tuple[Deployment, ...]:
    """The newest deployment and those that still serve, each once."""
    latest = service.instance.latest_deployment
    everything = (*service.instance.active_deployments, *((latest,) if latest is not None else ()))
    return tuple({deployment.id: deployment for deployment in everything}.values())


def _drift(service: Service, owner: Owner, *, deployed: bool) -> Drift | None:
    renamed = service.name != owner.external_name
    if not deployed or service.config is None:
        return drift((), renamed=renamed)
    if service.note is None:
        return drift((f"variable {SETTINGS}",), renamed=renamed)
    return drift(drift_in(service.note, service.instance, service.config), renamed=renamed)
