"""The skills of one runtime: what there is, what the customer chose, what they added."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from claw_crds.configuration import RuntimeConfiguration
from claw_runtime.problems import SKILL_BROKEN, SKILL_BUNDLED, SKILL_REFUSED, Problem
from claw_runtime.skills.archive import NoSkill, unpack
from claw_runtime.skills.catalogue import ABILITIES, CATALOGUE
from claw_runtime.skills.folders import MAX_FOLDERS, ROOT, SKILL, Folders
from claw_runtime.skills.gating import Surroundings, lacking_in_plan, missing_for_ability, missing_for_folder
from claw_runtime.skills.rules import Folder, Skill, enabled, named, not_in_plan, resolve, winning
from claw_runtime.usage.holdings import Holdings, skills_switched_on
from claw_runtime.workspace.writing import ANY

if TYPE_CHECKING:
    from claw_runtime.database import Database
    from claw_runtime.workspace.files import Workspace

# Within Skills, `list` is its method.
Listed = tuple[Skill, ...]


def nothing_connected() -> frozenset[str]:
    """For a runtime that connects nothing."""
    return frozenset()


class Skills:
    """Every skill of a customer. All methods raise DatabaseAway, and Problem for a name that is none.

    `connections` tells what the customer has connected ("gmail", "calendar"), from memory; `features` what whoever
    runs the assistant has set up.
    """

    def __init__(
        self,
        database: "Database",
        workspace: "Workspace",
        holdings: Holdings,
        clock: Callable[[], datetime],
        *,
        connections: Callable[[], frozenset[str]] = nothing_connected,
        features: frozenset[str] = frozenset(),
    ) -> None:
        self._database = database
        self._workspace = workspace
        self._holdings = holdings
        self._clock = clock
        self._connections = connections
        self._features = features
        self._folders = Folders(workspace)
        self._unpacking = asyncio.Lock()
        """One archive at a time: each takes memory."""

    async def list(self, configuration: RuntimeConfiguration) -> Listed:
        """Every skill as it is for this customer."""
        return self._resolved(configuration, await self._folders.all(), await self._chosen())

    async def enabled_names(self, configuration: RuntimeConfiguration) -> frozenset[str]:
        """The names of those that may be used now."""
        return enabled(await self.list(configuration))

    async def choose(self, name: str, enabled: bool, configuration: RuntimeConfiguration) -> Skill:
        """Remember the choice. Raises Problem, which says what to do, for a skill that cannot be enabled now."""
        skill = named(await self.list(configuration), name)
        if skill.name in ABILITIES:
            await self._choose_ability(name, enabled, configuration)
        else:
            await self._choose_folder(name, enabled, configuration)
        return named(await self.list(configuration), name)

    async def read(self, skill: Skill, path: str) -> str | None:
        """A file of a skill's folder, by its path within; None when there is none."""
        return await self._folders.read(skill.name, skill.source, path)

    async def paths(self, skill: Skill) -> tuple[str, ...]:
        """What is in a skill's folder."""
        return await self._folders.paths(skill.name, skill.source)

    async def add(self, archive: bytes, configuration: RuntimeConfiguration) -> Skill:
        """Put a skill into the workspace, in the place of one of the same name there. Raises Problem."""
        async with self._unpacking:
            try:
                bundle = await asyncio.to_thread(unpack, archive)
            except NoSkill as error:
                raise Problem(SKILL_REFUSED, str(error)) from error
        own = {found.name for found in await self._folders.all() if found.source == "workspace"}
        if bundle.name not in own and len(own) >= MAX_FOLDERS:
            raise Problem(SKILL_REFUSED, f"There is room for {MAX_FOLDERS} skills. Delete one that is not needed.")
        folder = f"{ROOT}/{bundle.name}/"
        before = {file.path for file in await self._workspace.list(folder)}
        # SKILL.md comes last: without it there is no skill yet, and none that is half there.
        for path in sorted(bundle.files, key=lambda path: path == SKILL):
            await self._workspace.write(folder + path, bundle.files[path])
        for path in sorted(before - {folder + path for path in bundle.files}):
            await self._workspace.delete(path, ANY)
        return named(await self.list(configuration), bundle.name)

    async def remove(self, name: str, configuration: RuntimeConfiguration) -> None:
        """Delete a skill of the workspace. Its files stay in the workspace's history for a while. Raises Problem."""
        if named(await self.list(configuration), name).source == "bundled":
            raise Problem(SKILL_BUNDLED, f"It cannot be deleted. To turn it off: POST /api/skills/{name}/disable.")
        files = await self._workspace.list(f"{ROOT}/{name}/")
        for file in sorted(files, key=lambda file: not file.path.endswith(f"/{SKILL}")):
            await self._workspace.delete(file.path, ANY)
        async with self._database.connection() as connection:
            await connection.execute("delete from skill_folders where name = %s", [name])

    async def _choose_ability(self, name: str, on: bool, configuration: RuntimeConfiguration) -> None:
        here = self._here(configuration)
        ability = next(ability for ability in CATALOGUE if ability.name == name)
        if not here.offers(name):
            raise not_in_plan(name, configuration.plan)
        if on and (missing := missing_for_ability(ability, here)) is not None:
            raise Problem(missing.kind, missing.text)
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(
                """insert into skills (name, enabled, updated_at) values (%(name)s, %(enabled)s, %(now)s)
                   on conflict (name) do update set enabled = excluded.enabled, updated_at = excluded.updated_at""",
                {"name": name, "enabled": on, "now": self._clock()},
            )
            switched_on = await skills_switched_on(connection)
        self._holdings.skills = switched_on

    async def _choose_folder(self, name: str, on: bool, configuration: RuntimeConfiguration) -> None:
        if on:
            await self._refuse_folder(name, configuration)
        async with self._database.connection() as connection:
            await connection.execute(
                """insert into skill_folders (name, enabled, updated_at) values (%(name)s, %(enabled)s, %(now)s)
                   on conflict (name) do update set enabled = excluded.enabled, updated_at = excluded.updated_at""",
                {"name": name, "enabled": on, "now": self._clock()},
            )

    async def _refuse_folder(self, name: str, configuration: RuntimeConfiguration) -> None:
        """Raises Problem when the skill of this folder cannot be used as things are."""
        here = self._here(configuration)
        folders = await self._folders.all()
        folder = winning(folders)[name]
        if folder.front is None:
            raise Problem(SKILL_BROKEN, f"{folder.location}: {folder.problem}")
        if (lacking := lacking_in_plan(folder.front.requires, here)) is not None:
            raise not_in_plan(name, configuration.plan, lacking)
        usable = enabled(self._resolved(configuration, folders, await self._chosen()))
        if (missing := missing_for_folder(folder.front.requires, here, usable)) is not None:
            raise Problem(missing.kind, missing.text)

    async def _chosen(self) -> dict[str, bool]:
        """What was chosen about abilities and folders. No folder has the name of an ability."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "select name, enabled from skill_folders union all select name, enabled from skills"
            )
            return {row["name"]: row["enabled"] for row in await cursor.fetchall()}

    def _here(self, configuration: RuntimeConfiguration) -> Surroundings:
        return Surroundings(configuration.plan, self._connections(), self._features)

    def _resolved(
        self, configuration: RuntimeConfiguration, folders: tuple[Folder, ...], chosen: Mapping[str, bool]
    ) -> Listed:
        return resolve(
            configuration.plan,
            configuration.skills,
            chosen,
            connections=self._connections(),
            features=self._features,
            folders=folders,
        )
