"""Neon's REST API, one method per request. Nothing is decided here.

Neon has no idempotency keys. Reads are repeated when they are not answered, writes never: whoever asked has to look
first whether it was done. Lists have two ways of telling where they go on, and are always read to their end: a list of
which a page is missing proves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from claw_operator.external import Transient
from claw_operator.external.budget import Lane
from claw_operator.external.http import Answer, Api, NoAnswer
from claw_operator.external.neon.errors import Missing, refusal
from claw_operator.external.neon.models import (
    Branch,
    BranchPage,
    BranchWritten,
    ConnectionUri,
    Database,
    DatabaseList,
    Endpoint,
    EndpointList,
    EndpointWritten,
    OneOperation,
    OneProject,
    Operation,
    OperationPage,
    Problem,
    Project,
    ProjectPage,
    ProjectWritten,
    Role,
    RoleList,
    RoleWritten,
    Written,
)

Model = TypeVar("Model", bound=BaseModel)
Json = Mapping[str, Any]

OPERATIONS_SHOWN = 100
_LONGEST_LIST = 1000  # pages; a server that goes round in circles must not keep us for ever


@dataclass(frozen=True)
class Branches:
    """All branches of a project, or all that were searched for, with their annotations by branch id."""

    branches: tuple[Branch, ...]
    annotations: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Projects:
    """The projects of an account. Not complete: what is missing may exist all the same."""

    projects: tuple[Project, ...]
    complete: bool


class NeonApi:
    """Requests under one key. `task` is what is being done, in words, for whoever reads an error."""

    def __init__(self, api: Api, url: str, key: str, *, page_size: int) -> None:
        self._api = api
        self._page_size = str(page_size)
        self._url = url.rstrip("/")
        self._key = key

    async def branches(
        self, project: str, task: str, *, search: str | None = None, lane: Lane = Lane.URGENT
    ) -> Branches:
        """The branches of a project. `search` finds parts of names and ids, not only whole ones."""
        params = {"limit": self._page_size, "sort_by": "created_at", "sort_order": "asc"}
        if search is not None:
            params["search"] = search
        found: dict[str, Branch] = {}
        annotations: dict[str, Mapping[str, Any]] = {}
        for _ in range(_LONGEST_LIST):
            page = await self._read(BranchPage, f"/projects/{_id(project)}/branches", task, params, lane)
            found |= {branch.id: branch for branch in page.branches}
            annotations |= {branch: annotation.value for branch, annotation in page.annotations.items()}
            following = page.pagination.next if page.pagination else None
            if not following:
                return Branches(tuple(found.values()), annotations)
            if following == params.get("cursor"):
                break
            params["cursor"] = following
        raise Transient(f"It was not possible to {task}: Neon's list of branches does not end")

    async def create_branch(self, project: str, body: Json, task: str) -> BranchWritten:
        """Make a branch, with its endpoint if the body has one."""
        return await self._write(BranchWritten, "POST", f"/projects/{_id(project)}/branches", task, body)

    async def rename_branch(self, project: str, branch: str, name: str, task: str) -> BranchWritten:
        """Give a branch another name."""
        path = f"/projects/{_id(project)}/branches/{_id(branch)}"
        return await self._write(BranchWritten, "PATCH", path, task, {"branch": {"name": name}})

    async def delete_branch(self, project: str, branch: str, task: str) -> Written:
        """Delete a branch. One that is gone already is deleted."""
        return await self._delete(f"/projects/{_id(project)}/branches/{_id(branch)}", task)

    async def endpoints(
        self, project: str, task: str, *, branch: str | None = None, lane: Lane = Lane.URGENT
    ) -> tuple[Endpoint, ...]:
        """All endpoints of the project, or of one branch."""
        part = f"/branches/{_id(branch)}" if branch is not None else ""
        found = await self._read(EndpointList, f"/projects/{_id(project)}{part}/endpoints", task, {}, lane)
        return found.endpoints

    async def create_endpoint(self, project: str, body: Json, task: str) -> EndpointWritten:
        """Give a branch a compute."""
        path = f"/projects/{_id(project)}/endpoints"
        return await self._write(EndpointWritten, "POST", path, task, {"endpoint": body})

    async def change_endpoint(self, project: str, endpoint: str, body: Json, task: str) -> EndpointWritten:
        """Change a compute's settings."""
        path = f"/projects/{_id(project)}/endpoints/{_id(endpoint)}"
        return await self._write(EndpointWritten, "PATCH", path, task, {"endpoint": body})

    async def reset_password(self, project: str, branch: str, role: str, task: str) -> RoleWritten:
        """Give a role a new password. The old one works until the operations have finished."""
        path = f"/projects/{_id(project)}/branches/{_id(branch)}/roles/{_id(role)}/reset_password"
        return await self._write(RoleWritten, "POST", path, task)

    async def connection_uri(self, project: str, endpoint: Endpoint, role: str, database: str, task: str) -> str:
        """How to reach the database. Without the branch in the question Neon would answer for the default branch."""
        params = {
            "branch_id": endpoint.branch_id,
            "endpoint_id": endpoint.id,
            "role_name": role,
            "database_name": database,
        }
        path = f"/projects/{_id(project)}/connection_uri"
        return (await self._read(ConnectionUri, path, task, params, Lane.URGENT)).uri

    async def roles(self, project: str, branch: str, task: str) -> tuple[Role, ...]:
        """The roles of a branch, without their passwords."""
        path = f"/projects/{_id(project)}/branches/{_id(branch)}/roles"
        return (await self._read(RoleList, path, task, {}, Lane.URGENT)).roles

    async def databases(self, project: str, branch: str, task: str) -> tuple[Database, ...]:
        """The databases of a branch."""
        path = f"/projects/{_id(project)}/branches/{_id(branch)}/databases"
        return (await self._read(DatabaseList, path, task, {}, Lane.URGENT)).databases

    async def project(self, project: str, task: str) -> Project:
        """One project."""
        return (await self._read(OneProject, f"/projects/{_id(project)}", task, {}, Lane.URGENT)).project

    async def operations(self, project: str, task: str) -> tuple[Operation, ...]:
        """The project's latest operations."""
        params = {"limit": str(OPERATIONS_SHOWN)}
        path = f"/projects/{_id(project)}/operations"
        return (await self._read(OperationPage, path, task, params, Lane.URGENT)).operations

    async def operation(self, project: str, operation: str, task: str) -> Operation:
        """One operation."""
        path = f"/projects/{_id(project)}/operations/{_id(operation)}"
        return (await self._read(OneOperation, path, task, {}, Lane.URGENT)).operation

    async def projects(self, org_id: str | None, task: str, *, search: str | None = None, lane: Lane) -> Projects:
        """The account's projects. `search` finds parts of names and ids, not only whole ones."""
        params = {"limit": self._page_size}
        params |= {"org_id": org_id} if org_id is not None else {}
        params |= {"search": search} if search is not None else {}
        found: dict[str, Project] = {}
        complete = True
        for _ in range(_LONGEST_LIST):
            page = await self._read(ProjectPage, "/projects", task, params, lane)
            complete = complete and not page.unavailable_project_ids
            found |= {project.id: project for project in page.projects}
            following = page.pagination.cursor if page.pagination else None
            # The cursor has to be there even when nothing follows: an empty page or the same cursor is the end.
            if not following or not page.projects or following == params.get("cursor"):
                return Projects(tuple(found.values()), complete)
            params["cursor"] = following
        raise Transient(f"It was not possible to {task}: Neon's list of projects does not end")

    async def create_project(self, body: Json, task: str) -> ProjectWritten:
        """Make a project, with its default branch, endpoint, role and database."""
        return await self._write(ProjectWritten, "POST", "/projects", task, {"project": body})

    async def change_project(self, project: str, body: Json, task: str) -> ProjectWritten:
        """Change a project's name or settings. What the body does not name stays."""
        return await self._write(ProjectWritten, "PATCH", f"/projects/{_id(project)}", task, {"project": body})

    async def delete_project(self, project: str, task: str) -> Written:
        """Delete a project. One that is gone already is deleted."""
        return await self._delete(f"/projects/{_id(project)}", task)

    async def _read(self, model: type[Model], path: str, task: str, params: Mapping[str, str], lane: Lane) -> Model:
        answer = await self._api.send(
            "GET", self._url + path, lane=lane, repeatable=True, headers=self._headers, params=params
        )
        return _parsed(model, answer, task)

    async def _write(self, model: type[Model], method: str, path: str, task: str, body: Json | None = None) -> Model:
        return _parsed(model, await self._send(method, path, body), task)

    async def _delete(self, path: str, task: str) -> Written:
        answer = await self._send("DELETE", path, None)
        if answer.status == 204:
            return Written()
        try:
            return _parsed(Written, answer, task)
        except Missing:
            return Written()

    async def _send(self, method: str, path: str, body: Json | None) -> Answer:
        return await self._api.send(
            method, self._url + path, lane=Lane.URGENT, repeatable=False, headers=self._headers, json=body
        )

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}


def _id(text: str) -> str:
    """Fit for a path, whatever is in it."""
    return quote(text, safe="")


def _parsed(model: type[Model], answer: Answer, task: str) -> Model:
    if answer.status >= 300:
        raise refusal(answer.status, _problem(answer), task)
    try:
        return model.model_validate(answer.json())
    except ValidationError as error:
        # It was accepted, so it may well have been done: the same as no answer.
        raise NoAnswer(f"It was not possible to {task}: Neon's answer is not understood") from error


def _problem(answer: Answer) -> Problem:
    try:
        return Problem.model_validate(answer.json())
    except (NoAnswer, ValidationError):
        return Problem()  # a proxy's page: then the status is all there is
