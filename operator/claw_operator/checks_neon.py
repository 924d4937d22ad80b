"""Whether the operator could work with this Neon account: key, project, template branch and what is in it."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import psycopg

from claw_operator.checks import Check, Checks, Verdict
from claw_operator.external import ExternalError
from claw_operator.external.budget import Lane
from claw_operator.external.http import Answer, Api
from claw_operator.settings_neon import NeonSettings

Json = dict[str, Any]

_ACTIVE_COMPUTES = 20
"""How many computes of a project may be awake at once, on every plan, until Neon raises it."""
_CONNECT_SECONDS = 15
_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT 200
"""


class _Refused(Exception):
    """Neon answered, and not with what was asked for."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"Neon answered {answer.status}: {answer.shown}")
        self.status = answer.status


class _Neon:
    """A handful of reads."""

    def __init__(self, settings: NeonSettings, api: Api) -> None:
        assert settings.neon_api_key is not None  # noqa: S101 - validated
        self._url = str(settings.neon_api_url).rstrip("/")
        self._key = settings.neon_api_key.get_secret_value()
        self._api = api

    async def get(self, path: str, **params: str) -> Json:
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        answer = await self._api.send(
            "GET", self._url + path, lane=Lane.URGENT, repeatable=True, headers=headers, params=params
        )
        if answer.status != 200:
            raise _Refused(answer)
        document: Json = answer.json()
        return document

    async def branches(self, project: str) -> AsyncIterator[Json]:
        cursor: Mapping[str, str] = {}
        while True:
            page = await self.get(f"/projects/{quote(project, safe='')}/branches", limit="1000", **cursor)
            for branch in page["branches"]:
                yield branch
            following = (page.get("pagination") or {}).get("next")
            if not following or following == cursor.get("cursor"):
                return
            cursor = {"cursor": following}


async def neon_checks(settings: NeonSettings, api: Api) -> Checks:
    """Look at everything, in the order in which a person would mend it."""
    neon = _Neon(settings, api)
    try:
        if settings.neon_isolation == "project":
            yield await _account(neon, settings)
            return
        async for check in _project(neon, settings):
            yield check
    except _Refused as refusal:
        yield _refusal(refusal, settings)
    except ExternalError as error:
        yield Check("Neon", Verdict.MISSING, str(error), "check NEON_API_URL and the network")


async def _account(neon: _Neon, settings: NeonSettings) -> Check:
    given = {"org_id": settings.neon_org_id} if settings.neon_org_id else {}
    await neon.get("/projects", limit="1", **given)
    return Check("Neon key", Verdict.OK, "accepted; every customer gets a project of their own")


async def _project(neon: _Neon, settings: NeonSettings) -> Checks:
    identity = str(settings.neon_project_id)
    project = (await neon.get(f"/projects/{quote(identity, safe='')}"))["project"]
    yield Check("Neon key", Verdict.OK, "accepted")
    yield Check("Neon project", Verdict.OK, f"{project['name']} in {project.get('region_id', 'an unknown region')}")
    if project.get("store_passwords") is False:
        yield Check("Neon project", Verdict.NOTE, "stores no passwords: nobody can look one up, which is well")

    branches = [branch async for branch in neon.branches(identity)]
    ours = sum(branch["name"].startswith("claw-") for branch in branches)
    if ours >= _ACTIVE_COMPUTES:
        detail = f"{ours} of our branches, and only {_ACTIVE_COMPUTES} computes of a project may be awake at once"
        yield Check("Neon limits", Verdict.NOTE, detail, "ask Neon to raise the limit, or use NEON_ISOLATION=project")
    else:
        yield Check("Neon limits", Verdict.OK, f"{ours} of our branches among {len(branches)}")

    template = _template(branches, settings.neon_parent_branch)
    if template is None:
        names = ", ".join(sorted(b["name"] for b in branches if not b["name"].startswith("claw-"))) or "no other branch"
        detail = f"there is no branch {settings.neon_parent_branch}; there is {names}"
        yield Check("Neon template", Verdict.MISSING, detail, "correct NEON_PARENT_BRANCH")
        return
    yield _protection(template)
    async for check in _content(neon, settings, identity, template):
        yield check


def _template(branches: list[Json], wanted: str | None) -> Json | None:
    if wanted is None:
        return next((branch for branch in branches if branch.get("default")), None)
    return next((branch for branch in branches if wanted in (branch["id"], branch["name"])), None)


def _protection(template: Json) -> Check:
    if template.get("protected"):
        return Check("Neon template", Verdict.OK, f"{template['name']}, protected: copies get passwords of their own")
    detail = f"{template['name']} is not protected: a copy has its passwords until ours are set, a second or two"
    return Check("Neon template", Verdict.NOTE, detail, "protect the branch, where your Neon plan allows that")


async def _content(neon: _Neon, settings: NeonSettings, project: str, template: Json) -> Checks:
    """A copy has every row, role and password of the template: it should hold nothing but one role's empty database."""
    path = f"/projects/{quote(project, safe='')}/branches/{quote(template['id'], safe='')}"
    roles = [role["name"] for role in (await neon.get(f"{path}/roles"))["roles"] if not role.get("protected")]
    databases = [database["name"] for database in (await neon.get(f"{path}/databases"))["databases"]]
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
    uri = (
        await neon.get(
            f"/projects/{quote(project, safe='')}/connection_uri",
            branch_id=template["id"],
            role_name=settings.neon_role,
            database_name=settings.neon_database,
        )
    )["uri"]
    yield await _emptiness(uri)


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


def _refusal(refusal: _Refused, settings: NeonSettings) -> Check:
    match refusal.status:
        case 401:
            return Check("Neon key", Verdict.MISSING, "it is not accepted", "make a new one and set NEON_API_KEY")
        case 403 | 404 if settings.neon_isolation == "branch":
            detail = f"project {settings.neon_project_id} is not there, or the key does not reach it"
            return Check(
                "Neon project", Verdict.MISSING, detail, "correct NEON_PROJECT_ID, or use a key of that project"
            )
        case 400 | 403 if settings.neon_org_id is None:
            return Check("Neon key", Verdict.MISSING, str(refusal), "a personal key needs NEON_ORG_ID")
    return Check("Neon", Verdict.MISSING, str(refusal))
