"""`/api/skills`: what there is, and turning it on and off."""

from claw_runtime.routes import Call, Nothing
from claw_runtime.skills import Skill, SkillList


async def listing(call: Call[Nothing, Nothing]) -> SkillList:
    """Every bundled skill."""
    return SkillList(skills=await call.services.skills.list(call.configuration))


async def enable(call: Call[Nothing, Nothing]) -> Skill:
    """Turn a skill on."""
    return await call.services.skills.choose(call.request.match_info["name"], True, call.configuration)


async def disable(call: Call[Nothing, Nothing]) -> Skill:
    """Turn a skill off."""
    return await call.services.skills.choose(call.request.match_info["name"], False, call.configuration)
