"""One Pro customer, as the operator describes her to her runtime."""

from datetime import date

from claw_crds.configuration import (
    AssistantConfiguration,
    InstanceIdentity,
    KeyHash,
    PlanConfiguration,
    RuntimeConfiguration,
    SkillChoices,
)
from claw_crds.v1alpha1 import Customer, Limits, State

TODAY = date(2026, 11, 22)

PRO = RuntimeConfiguration(
    instance=InstanceIdentity(
        namespace="claw", name="claw-5gl2y4bsn3ekzkgq", uid="6c8f1a52-0d0e-4d0c-9e37-6f1f5a3f7f10"
    ),
    state=State.RUNNING,
    customer=Customer(
        id="cus_QpFQ2pz0HkGY1A",
        email="ada@example.com",
        name="Ada Lovelace",
        company="Analytical Engines Ltd",
        timezone="Europe/London",
        locale="en-GB",
    ),
    assistant=AssistantConfiguration(
        name="Charles", persona="Dry wit.\nLikes tables.", instructions=None, model="claude-sonnet-4-5"
    ),
    plan=PlanConfiguration(
        name="pro",
        display_name="Pro",
        limits=Limits(messages_per_month=20_000, agents=10),
        skills=("chat", "memory", "web_search", "gmail", "calendar", "browser"),
    ),
    skills=SkillChoices(enabled=("gmail",), disabled=("browser",)),
    keys=(KeyHash(sha256="a" * 64),),
)
