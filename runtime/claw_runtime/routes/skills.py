"""`/api/skills`: what there is, turning it on and off, and adding one."""

import asyncio
from typing import Any

from claw_runtime.endpoint import BODY_SECONDS
from claw_runtime.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    NOT_FOUND,
    SKILL_BROKEN,
    SKILL_BUNDLED,
    SKILL_NEEDS_CONNECTION,
    SKILL_NEEDS_SETUP,
    SKILL_NOT_IN_PLAN,
    SKILL_REFUSED,
    UNSUPPORTED_MEDIA,
    WORKSPACE_FULL,
    Problem,
)
from claw_runtime.routes import Access, Call, Nothing, Route
from claw_runtime.skills import Skill, SkillList
from claw_runtime.skills.archive import MAX_ARCHIVE

_MEDIA_TYPES = ("application/zip", "application/x-zip-compressed")
_NO_SKILL = "skill of this name; GET /api/skills lists them"


async def listing(call: Call[Nothing, Nothing]) -> SkillList:
    """Every skill, with what each still needs."""
    return SkillList(skills=await call.services.skills.list(call.configuration))


async def enable(call: Call[Nothing, Nothing]) -> Skill:
    """Turn a skill on."""
    return await call.services.skills.choose(call.name("name", _NO_SKILL), True, call.configuration)


async def disable(call: Call[Nothing, Nothing]) -> Skill:
    """Turn a skill off."""
    return await call.services.skills.choose(call.name("name", _NO_SKILL), False, call.configuration)


async def add(call: Call[Nothing, Nothing]) -> Skill:
    """Add a skill: the body is a zip (application/zip) with a SKILL.md and what belongs to it."""
    if call.request.content_type not in _MEDIA_TYPES:
        raise Problem(UNSUPPORTED_MEDIA, "Send the skill as a zip, with Content-Type: application/zip.")
    return await call.services.skills.add(await _read(call), call.configuration)


async def remove(call: Call[Nothing, Nothing]) -> None:
    """Delete a skill from the workspace."""
    await call.services.skills.remove(call.name("name", _NO_SKILL), call.configuration)


async def _read(call: Call[Nothing, Nothing]) -> bytes:
    """The body, as far as it is not too large."""
    too_large = Problem(BODY_TOO_LARGE, f"At most {MAX_ARCHIVE:,} bytes are taken.")
    if (call.request.content_length or 0) > MAX_ARCHIVE:
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in call.request.content.iter_any():
                data += part
                if len(data) > MAX_ARCHIVE:
                    raise too_large
    except TimeoutError as error:
        raise Problem(BODY_TIMEOUT, f"The body did not arrive within {BODY_SECONDS:.0f} seconds.") from error
    return bytes(data)


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("GET", "/api/skills", listing, Access.CUSTOMER, Nothing, Nothing, SkillList),
    Route(
        "POST",
        "/api/skills",
        add,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        Skill,
        status=201,
        problems=(BODY_TIMEOUT, BODY_TOO_LARGE, UNSUPPORTED_MEDIA, INVALID_REQUEST, SKILL_REFUSED, WORKSPACE_FULL),
        uploads="application/zip",
    ),
    Route(
        "DELETE",
        "/api/skills/{name}",
        remove,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        None,
        problems=(NOT_FOUND, SKILL_BUNDLED),
    ),
    Route(
        "POST",
        "/api/skills/{name}/enable",
        enable,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        Skill,
        problems=(NOT_FOUND, SKILL_NOT_IN_PLAN, SKILL_NEEDS_CONNECTION, SKILL_NEEDS_SETUP, SKILL_BROKEN),
    ),
    Route(
        "POST",
        "/api/skills/{name}/disable",
        disable,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        Skill,
        problems=(NOT_FOUND, SKILL_NOT_IN_PLAN),
    ),
)
