"""Free ports on loopback.

Asking the kernel for port 0 gives one of the ephemeral range, where outgoing connections take theirs too: by the time
the server listens, or while it restarts, a client may sit on it. So ports come from below that range.
"""

import socket
from random import Random

from claw_dev.errors import StackError

LOOPBACK = "127.0.0.1"
_LOWEST = 20_000
_HIGHEST = 32_000
_ATTEMPTS = 200


def free_port(random: Random) -> int:
    """A port of 127.0.0.1 on which nobody listens. Another process may take it before you do, though hardly ever."""
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, _HIGHEST)
        if is_free(port):
            return port
    raise StackError(f"found no free port between {_LOWEST} and {_HIGHEST} on {LOOPBACK}")


def free_ports(count: int, random: Random) -> tuple[int, ...]:
    """So many different ones."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port(random))
    return tuple(ports)


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        # As the servers do it: connections that are still closing do not make a port taken.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
