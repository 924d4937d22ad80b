"""Who makes computes and databases in a stack, and what the operator is told of it. Pure.

Three ways: processes and databases of this machine; the drivers of Railway and Neon against simulators; the same
drivers against the real ones, with what the person has put into the environment or into `.env`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from claw_dev.errors import StackError
from claw_dev.parts import Part
from claw_dev.processes import Program
from claw_dev.services import module_program, port_of

REQUIRED = ("RAILWAY_TOKEN", "RAILWAY_PROJECT_ID", "NEON_API_KEY", "ANTHROPIC_API_KEY")
"""Without these there is no real Railway and no real Neon; a runtime in the cloud reaches no simulated Claude."""

_PASSED_ON = ("RAILWAY_", "NEON_", "CLAWDBOT_")
_PROJECT = "claw-stack"


@dataclass(frozen=True)
class SimulatedClouds:
    """The simulated Railway and Neon accounts of a stack."""

    railway_url: str
    neon_url: str
    railway_token: str = field(repr=False)
    neon_key: str = field(repr=False)
    pace: str = "realistic"
    """How long the simulators take for everything: `realistic` or `quick`."""

    def railway_program(self) -> Program:
        """The Railway simulator, which runs the real runtime as a process per service."""
        return module_program(
            "claw_dev.simulators.railway",
            Part.RAILWAY,
            f"--port={port_of(self.railway_url)}",
            f"--token={self.railway_token}",
            f"--project={_PROJECT}",
            f"--pace={self.pace}",
            "--runtimes=process",
        )

    def neon_program(self, postgres_url: str) -> Program:
        """The Neon simulator, whose branches are databases of the stack's PostgreSQL."""
        return module_program(
            "claw_dev.simulators.neon",
            Part.NEON,
            f"--port={port_of(self.neon_url)}",
            f"--key={self.neon_key}",
            f"--project={_PROJECT}",
            f"--pace={self.pace}",
            f"--postgres-url={postgres_url}",
        )

    def environment(self) -> dict[str, str]:
        """What the operator is told."""
        return {
            "CLAW_COMPUTE_DRIVER": "railway",
            "CLAW_DATABASE_DRIVER": "neon",
            "RAILWAY_API_URL": f"{self.railway_url}/graphql/v2",
            "RAILWAY_TOKEN": self.railway_token,
            "RAILWAY_PROJECT_ID": _PROJECT,
            "RAILWAY_DOMAIN_SCHEME": "http",
            "CLAWDBOT_IMAGE": "example/clawdbot:1",
            "NEON_API_URL": f"{self.neon_url}/api/v2",
            "NEON_API_KEY": self.neon_key,
            "NEON_PROJECT_ID": _PROJECT,
        }


def local_environment(instances: Path, postgres_url: str) -> dict[str, str]:
    """What the operator is told when this machine makes everything."""
    return {
        "CLAW_COMPUTE_DRIVER": "local",
        "CLAW_DATABASE_DRIVER": "postgres",
        "CLAW_LOCAL_DIRECTORY": str(instances),
        "CLAW_POSTGRES_ADMIN_URL": postgres_url,
    }


def cloud_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the operator is told about the real ones. Raises StackError naming what is missing."""
    missing = [name for name in REQUIRED if not environment.get(name)]
    if not (environment.get("CLAWDBOT_REPO") or environment.get("CLAWDBOT_IMAGE")):
        missing.append("CLAWDBOT_REPO or CLAWDBOT_IMAGE")
    if environment.get("NEON_ISOLATION") != "project" and not environment.get("NEON_PROJECT_ID"):
        missing.append("NEON_PROJECT_ID")
    if missing:
        raise StackError(
            f"the real providers need {', '.join(missing)}",
            "set them in .env, as .env.example shows, or use PROVIDERS=simulated, which needs nothing",
        )
    passed_on = {name: value for name, value in environment.items() if name.startswith(_PASSED_ON)}
    return {**passed_on, "CLAW_COMPUTE_DRIVER": "railway", "CLAW_DATABASE_DRIVER": "neon"}


def bill(environment: Mapping[str, str]) -> list[str]:
    """What is made at the real providers for a customer, in words, for the person to agree to."""
    source = environment.get("CLAWDBOT_IMAGE") or environment.get("CLAWDBOT_REPO", "")
    project = environment.get("RAILWAY_PROJECT_ID", "")
    own_project = environment.get("NEON_ISOLATION") == "project"
    place = "a project of its own" if own_project else f"project {environment.get('NEON_PROJECT_ID', '')}"
    return [
        f"one Railway service in project {project}, deployed from {source}, with a public domain",
        f"one Neon {'project' if own_project else 'branch'} with a compute, in {place}",
        "a few replies of Claude, with your ANTHROPIC_API_KEY",
    ]
