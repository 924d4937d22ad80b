"""Records as the JSON of Neon's API. Pure.

A `Renderer` with `novelties` answers as a Neon that is newer than its OpenAPI document: with fields that nobody has
heard of. Clients must not mind.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from claw_dev.simulators.neon.branches import Made
from claw_dev.simulators.neon.credentials import host_of
from claw_dev.simulators.neon.records import Branch, Database, Endpoint, Operation, Project, Role
from claw_dev.simulators.neon.world import World

Json = dict[str, Any]

NOVEL_FIELD = "x_not_in_the_description"
_GIBIBYTE = 2**30


@dataclass(frozen=True)
class Renderer:
    """Makes JSON of records."""

    world: World
    novelties: bool

    def project(self, project: Project) -> Json:
        """A `Project`, and with two more fields a `ProjectListItem`."""
        size_limit = project.quota.get("logical_size_bytes") or 512 * _GIBIBYTE
        period = project.created_at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return self._novel(
            {
                "id": project.id,
                "platform_id": "aws",
                "region_id": project.region_id,
                "name": project.name,
                "provisioner": "k8s-neonvm",
                "default_endpoint_settings": dict(project.endpoint_settings),
                "settings": dict(project.settings),
                "pg_version": project.pg_version,
                "proxy_host": f"{project.region_id.removeprefix('aws-')}.aws.simulated",
                "branch_logical_size_limit": size_limit // 2**20,
                "branch_logical_size_limit_bytes": size_limit,
                "store_passwords": project.store_passwords,
                "creation_source": "console",
                "synthetic_storage_size": sum(one.logical_size or 0 for one in self.world.branches_of(project.id)),
                "history_retention_seconds": project.history_retention_seconds,
                "created_at": _time(project.created_at),
                "updated_at": _time(project.updated_at),
                "consumption_period_start": _time(period),
                "consumption_period_end": _time(period.replace(year=period.year + 1)),
                "owner_id": project.org_id,
                "org_id": project.org_id,
                "data_storage_bytes_hour": 0,
                "cpu_used_sec": project.used.get("compute_time_seconds", 0),
                "data_transfer_bytes": project.used.get("data_transfer_bytes", 0),
                "written_data_bytes": project.used.get("written_data_bytes", 0),
                "compute_time_seconds": project.used.get("compute_time_seconds", 0),
                "active_time_seconds": project.used.get("active_time_seconds", 0),
            }
        )

    def listed_project(self, project: Project) -> Json:
        """A `ProjectListItem`: almost a `Project`."""
        only_in_projects = {
            "data_storage_bytes_hour",
            "data_transfer_bytes",
            "written_data_bytes",
            "compute_time_seconds",
            "active_time_seconds",
            "consumption_period_start",
            "consumption_period_end",
        }
        item = {field: value for field, value in self.project(project).items() if field not in only_in_projects}
        return item | {"active_time": project.used.get("active_time_seconds", 0)}

    def branch(self, branch: Branch) -> Json:
        """A `Branch`. What has no value is left out."""
        return self._novel(
            _without_none(
                {
                    "id": branch.id,
                    "project_id": branch.project_id,
                    "parent_id": branch.parent_id,
                    "name": branch.name,
                    "current_state": branch.state,
                    "pending_state": branch.pending_state,
                    "state_changed_at": _time(branch.updated_at),
                    "logical_size": branch.logical_size,
                    "creation_source": "console",
                    "primary": branch.default,
                    "default": branch.default,
                    "protected": branch.protected,
                    "init_source": branch.init_source,
                    "created_at": _time(branch.created_at),
                    "updated_at": _time(branch.updated_at),
                    "expires_at": _time(branch.expires_at) if branch.expires_at else None,
                    "cpu_used_sec": 0,
                    "compute_time_seconds": 0,
                    "active_time_seconds": 0,
                    "written_data_bytes": 0,
                    "data_transfer_bytes": 0,
                }
            )
        )

    def annotation(self, branch: Branch) -> Json:
        """An `AnnotationData`. A branch without one has an empty value."""
        return {
            "object": {"type": "console/branch", "id": branch.id},
            "value": dict(branch.annotation or {}),
            "created_at": _time(branch.created_at),
            "updated_at": _time(branch.created_at),
        }

    def endpoint(self, endpoint: Endpoint) -> Json:
        """An `Endpoint`."""
        is_asleep = self.world.is_asleep(endpoint)
        return self._novel(
            _without_none(
                {
                    "id": endpoint.id,
                    "name": endpoint.name,
                    "project_id": endpoint.project_id,
                    "branch_id": endpoint.branch_id,
                    "host": host_of(endpoint),
                    "proxy_host": host_of(endpoint).partition(".")[2],
                    "region_id": endpoint.region_id,
                    "type": endpoint.type,
                    "autoscaling_limit_min_cu": endpoint.min_cu,
                    "autoscaling_limit_max_cu": endpoint.max_cu,
                    "suspend_timeout_seconds": endpoint.suspend_timeout_seconds,
                    "current_state": "idle" if is_asleep else endpoint.state,
                    "pending_state": endpoint.pending_state,
                    "disabled": endpoint.disabled,
                    "settings": dict(endpoint.settings),
                    "pooler_enabled": endpoint.pooler_enabled,
                    "pooler_mode": "transaction",
                    "passwordless_access": True,
                    "provisioner": "k8s-neonvm",
                    "creation_source": "console",
                    "created_at": _time(endpoint.created_at),
                    "updated_at": _time(endpoint.updated_at),
                }
            )
        )

    def role(self, role: Role, branch: Branch, *, tell_password: bool = False) -> Json:
        """A `Role`; its password only right after it was made or reset."""
        return {
            "branch_id": branch.id,
            "name": role.name,
            "protected": False,
            "created_at": _time(role.created_at),
            "updated_at": _time(role.updated_at),
        } | ({"password": role.password} if tell_password else {})

    def database(self, database: Database, branch: Branch) -> Json:
        """A `Database`."""
        return {
            "id": database.id,
            "branch_id": branch.id,
            "name": database.name,
            "owner_name": database.owner_name,
            "created_at": _time(database.created_at),
            "updated_at": _time(database.updated_at),
        }

    def operation(self, operation: Operation) -> Json:
        """An `Operation`."""
        return _without_none(
            {
                "id": operation.id,
                "project_id": operation.project_id,
                "branch_id": operation.branch_id,
                "endpoint_id": operation.endpoint_id,
                "action": operation.action,
                "status": operation.status.value,
                "error": operation.error,
                "failures_count": operation.failures_count,
                "created_at": _time(operation.created_at),
                "updated_at": _time(operation.updated_at),
                "total_duration_ms": operation.total_duration_ms,
            }
        )

    def operations(self, operations: Iterable[Operation]) -> list[Json]:
        """Several, as they are listed in every answer to a change."""
        return [self.operation(operation) for operation in operations]

    def made(self, made: Made) -> Json:
        """What the answers to new branches and new projects share, without the URIs."""
        branch = made.branch
        return {
            "branch": self.branch(branch),
            "endpoints": [self.endpoint(endpoint) for endpoint in made.endpoints],
            "operations": self.operations(made.operations),
            "roles": [self.role(role, branch) for role in branch.roles.values()],
            "databases": [self.database(database, branch) for database in branch.databases.values()],
        }

    def _novel(self, fields: Json) -> Json:
        return fields | {NOVEL_FIELD: {"since": "tomorrow"}} if self.novelties else fields


def _without_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
