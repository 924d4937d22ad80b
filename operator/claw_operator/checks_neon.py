"""Whether the operator could work with this Neon account: key, project, template branch and what is in it."""

from collections.abc import Sequence
from typing import Any

import psycopg

from claw_operator.checks import Check, Checks, Verdict
from claw_operator.external import ExternalError, Rejected, Unauthorized
from claw_operator.external.budget import Lane
from claw_operator.external.http import Api
from claw_operator.external.neon.api import NeonApi
from claw_operator.external.neon.database import read_write
from claw_operator.external.neon.errors import Missing
from claw_operator.external.neon.models import Branch
from claw_operator.external.neon.options import NeonOptions
from claw_operator.settings_neon import NeonSettings

_TASK = "look at the account"
_ACTIVE_COMPUTES = 20
"""How many computes of a project may be awake at once, on every plan, until Neon raises it."""
_CONNECT_SECONDS = 15
_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 200
"""


async def neon_checks(settings: NeonSettings, api: Api) -> Checks:
    """Look at everything, in the order in which a person would mend it."""
    assert settings.neon_api_key is not None  # noqa: S101 - validated
    options = NeonOptions(key=settings.neon_api_key.get_secret_value(), url=str(settings.neon_api_url))
    neon = NeonApi(api, options.url, options.key, page_size=options.page_size)
    try:
        if settings.neon_isolation == "project":
            await neon.projects(settings.neon_org_id, _TASK, lane=Lane.URGENT)
            yield Check("Neon key", Verdict.OK, "accepted; every customer gets a project of their own")
            return
        async for check in _project(neon, settings):
            yield check
    except ExternalError as error:
        yield _refusal(error, settings)


async def _project(neon: NeonApi, settings: NeonSettings) -> Checks:
    identity = str(settings.neon_project_id)
    project = await neon.project(identity, _TASK)
    yield Check("Neon key", Verdict.OK, "accepted")
    yield Check("Neon project", Verdict.OK, f"{project.name} in {project.region_id or 'an unknown region'}")
    if not project.store_passwords:
        yield Check("Neon project", Verdict.NOTE, "stores no passwords: nobody can look one up, which is well")

    branches = (await neon.branches(identity, _TASK)).branches
    ours = sum(branch.name.startswith("claw-") for branch in branches)
    if ours >= _ACTIVE_COMPUTES:
        detail = f"{ours} of our branches, and only {_ACTIVE_COMPUTES} computes of a project may be awake at once"
        yield Check("Neon limits", Verdict.NOTE, detail, "ask Neon to raise the limit, or use NEON_ISOLATION=project")
    else:
        yield Check("Neon limits", Verdict.OK, f"{ours} of our branches among {len(branches)}")

    template = _template(branches, settings.neon_parent_branch)
    if template is None:
        names = ", ".join(sorted(b.name for b in branches if not b.name.startswith("claw-"))) or "no other branch"
        detail = f"there is no branch {settings.neon_parent_branch}; there is {names}"
        yield Check("Neon template", Verdict.MISSING, detail, "correct NEON_PARENT_BRANCH")
        return
    yield _protection(template)
    async for check in _content(neon, settings, identity, template):
        yield check


def _template(branches: Sequence[Branch], wanted: str | None) -> Branch | None:
    if wanted is None:
        return next((branch for branch in branches if branch.default), None)
    return next((branch for branch in branches if wanted in (branch.id, branch.name)), None)


def _protection(template: Branch) -> Check:
    if template.protected:
        return Check("Neon template", Verdict.OK, f"{template.name}, protected: copies get passwords of their own")
    detail = f"{template.name} is not protected: a copy has its passwords until ours are set, a second or two"
    return Check("Neon template", Verdict.NOTE, detail, "protect the branch, where your Neon plan allows that")


async def _content(neon: NeonApi, settings: NeonSettings, project: str, template: Branch) -> Checks:
    """A copy has every row, role and password of the template: it should hold nothing but one role's empty database."""
    roles = [role.name for role in await neon.roles(project, template.id, _TASK) if not role.protected]
    databases = [database.name for database in await neon.databases(project, template.id, _TASK)]
    for variable, wanted, found in (
        ("NEON_ROLE", settings.neon_role, roles),
        ("NEON_DATABASE", settings.neon_database, databases),
    ):
        if wanted not in found:
            names = ", ".join(sorted(found)) or "none"
            yield Check("Neon template", Verdict.MISSING, f"has no {wanted} but {names}", f"correct {variable}")
            return
    others = sorted({*roles, *databases} - {settings.neon_role, settings.neon_database})
    if others:
        detail = f"also holds {', '.join(others)}: every customer gets a copy"
        yield Check("Neon template", Verdict.NOTE, detail, "use a branch that has one role and one database")
    endpoint = read_write(await neon.endpoints(project, _TASK, branch=template.id), template.id)
    if endpoint is None:
        yield Check("Neon template", Verdict.NOTE, "has no compute, so whether it is empty is not known")
        return
    yield await _emptiness(
        await neon.connection_uri(project, endpoint, settings.neon_role, settings.neon_database, _TASK)
    )


async def _emptiness(uri: str) -> Check:
    try:
        async with await psycopg.AsyncConnection.connect(uri, connect_timeout=_CONNECT_SECONDS) as connection:
            await connection.set_read_only(True)
            tables = [name for (name,) in await (await connection.execute(_TABLES)).fetchall()]
            full = [name for name in tables if await _has_rows(connection, name)]
    except psycopg.Error:
        # Not its words: they may tell host and role, and this goes into terminals and tickets.
        return Check("Neon template", Verdict.NOTE, "could not be opened, so whether it is empty is not known")
    if full:
        shown = ", ".join(full[:5]) + (" and others" if len(full) > 5 else "")
        return Check(
            "Neon template", Verdict.MISSING, f"has rows in {shown}", "every customer would get them: empty it"
        )
    return Check("Neon template", Verdict.OK, f"empty, with {len(tables)} tables" if tables else "empty")


async def _has_rows(connection: psycopg.AsyncConnection[Any], table: str) -> bool:
    # The name was quoted by the server itself.
    found = await connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})".encode())  # noqa: S608
    row = await found.fetchone()
    return row is not None and bool(row[0])


def _refusal(error: ExternalError, settings: NeonSettings) -> Check:
    by_branch = settings.neon_isolation == "branch"
    if isinstance(error, Missing) and by_branch:
        detail = f"project {settings.neon_project_id} is not there, or the key does not reach it"
        return Check("Neon project", Verdict.MISSING, detail, "correct NEON_PROJECT_ID, or use a key of that project")
    if isinstance(error, Unauthorized):
        return Check("Neon key", Verdict.MISSING, str(error), "make a key that reaches the project")
    if isinstance(error, Rejected):
        hint = "a personal key needs NEON_ORG_ID" if settings.neon_org_id is None and not by_branch else ""
        return Check("Neon", Verdict.MISSING, str(error), hint)
    return Check("Neon", Verdict.MISSING, str(error), "check NEON_API_URL and the network")
