"""Owners that no other test has."""

import uuid

from claw_operator.external import DesiredCompute, DesiredDatabase, Owner, Size

FLEET = "0b5f6f0e-7c1d-4f0a-9a55-2d7c1b8e6a10"


def new_owner(name: str = "claw-test") -> Owner:
    """An instance whose external name is free."""
    return Owner(namespace="claw", name=name, uid=str(uuid.uuid4()), fleet=FLEET)


def database_of(owner: Owner) -> DesiredDatabase:
    """The database that the owner wishes for."""
    return DesiredDatabase(owner=owner, storage_bytes=100 * 2**20)


def compute_of(owner: Owner, **variables: str) -> DesiredCompute:
    """The compute that the owner wishes for, with these variables in its environment."""
    size = Size(cpu_millis=500, memory_bytes=512 * 2**20)
    return DesiredCompute(owner=owner, size=size, image="registry.example/claw-runtime:1", variables=variables)
