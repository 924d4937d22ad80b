"""A stack with the real providers' drivers gives back what it made there, however it ends."""

import os
from pathlib import Path

from claw_dev.parts import Part, Providers
from claw_dev.simulators.neon.keys import Key
from claw_dev.simulators.neon.simulator import NeonSimulator
from claw_dev.simulators.railway.simulator import RailwaySimulator
from claw_dev.stack import Stack
from tests.eventually import eventually
from tests.integration.stack.test_up import INSTANCE

KEY = "napi_simulated"


async def test_nothing_is_left_at_the_providers_when_the_stack_ends(directory: Path) -> None:
    async with RailwaySimulator(runtimes="stand-in") as railway, NeonSimulator(keys=[Key(KEY)]) as neon:
        given = {
            "RAILWAY_API_URL": railway.url,
            "RAILWAY_TOKEN": railway.token.secret,
            "RAILWAY_PROJECT_ID": railway.project.id,
            "RAILWAY_DOMAIN_SCHEME": "http",
            "RAILWAY_POLL_SECONDS": "0.2",
            "CLAWDBOT_IMAGE": "example/clawdbot:1",
            "NEON_API_URL": neon.url,
            "NEON_API_KEY": KEY,
            "NEON_PROJECT_ID": neon.project_id,
            "ANTHROPIC_API_KEY": "sk-ant-simulated",
        }
        before = neon.picture()
        stack = Stack(directory, parts=[Part.OPERATOR], providers=Providers.CLOUD, environment={**os.environ, **given})
        await stack.start()
        try:
            await stack.kubectl.apply([INSTANCE])
            await eventually(lambda: railway.services and neon.picture() != before, timeout=30)
        finally:
            await stack.stop()

        assert railway.services == {}
        assert neon.picture() == before
