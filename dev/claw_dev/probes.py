"""How to tell that a program is ready: it answers. See `processes.Probe`."""

import ssl
from collections.abc import Mapping

import httpx

from claw_dev.processes import Probe

_TIMEOUT = 2.0


def answers(url: str, *, tls: ssl.SSLContext | None = None, headers: Mapping[str, str] | None = None) -> Probe:
    """Ready when a GET of the URL answers 200."""

    async def probe() -> bool:
        # Proxies of the environment have no business on loopback.
        async with httpx.AsyncClient(verify=tls or False, timeout=_TIMEOUT, trust_env=False) as client:
            try:
                response = await client.get(url, headers=headers)
            except httpx.HTTPError:
                return False
            return response.status_code == 200

    return probe
