"""Free ports."""

import socket
from random import Random

from claw_dev.ports import LOOPBACK, free_port, free_ports, is_free


def test_a_port_on_which_somebody_listens_is_not_free() -> None:
    with socket.create_server((LOOPBACK, free_port(Random()))) as server:
        assert not is_free(server.getsockname()[1])


def test_a_taken_port_is_passed_over() -> None:
    seed = 7
    first = free_port(Random(seed))
    with socket.create_server((LOOPBACK, first)):
        assert free_port(Random(seed)) != first


def test_ports_are_below_those_that_outgoing_connections_get() -> None:
    assert all(port < 32_768 for port in free_ports(20, Random()))


def test_several_ports_are_different_ones() -> None:
    class Stuck(Random):
        """Gives each number three times."""

        def __init__(self) -> None:
            super().__init__(1)
            self._calls = 0

        def randint(self, a: int, b: int) -> int:
            self._calls += 1
            return a + (self._calls // 3) % (b - a)

    assert len(set(free_ports(4, Stuck()))) == 4
