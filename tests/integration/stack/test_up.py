"""`claw up` and `claw down`, as a person uses them."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from claw_dev import notes
from claw_dev.parts import Part
from tests.eventually import eventually
from tests.integration.stack.upping import ClawUp, claw, claw_up, gone, interrupt, running

INSTANCE = {
    "apiVersion": "claw.dev/v1alpha1",
    "kind": "ClawInstance",
    "metadata": {"name": "ada", "namespace": "claw"},
    "spec": {"customer": {"id": "cus_1", "email": "ada@example.com", "name": "Ada"}, "planRef": {"name": "pro"}},
}
LIGHT = ("--only=postgres", "--only=mail")
"""Parts that start in a second, for what is the same with all of them."""


@pytest.fixture
async def everything(directory: Path) -> AsyncIterator[ClawUp]:
    """A stack with everything in it and the runtime of one instance."""
    async with claw_up(directory) as up:
        await up.ready()
        await up.kubectl.apply([INSTANCE])
        await eventually(lambda: [*notes.runtimes(directory)], timeout=30, describe=lambda: logs(directory))
        yield up


def logs(directory: Path) -> str:
    return (directory / "logs" / "operator.log").read_text()[-4000:]


async def test_ctrl_c_leaves_no_process(everything: ClawUp) -> None:
    processes = everything.processes()
    assert len(processes) >= 10  # the stack, its guard, three of Kubernetes, four services, PostgreSQL, a runtime

    interrupt(everything)

    assert await everything.ended() == 0
    assert running(processes) == []
    assert everything.output.endswith("ended: no process is left\n")


async def test_a_killed_stack_leaves_no_process(everything: ClawUp) -> None:
    processes = everything.processes()

    everything.child.kill()

    await gone(processes)


async def test_what_is_left_when_even_the_guard_was_killed_is_ended_by_claw_down(everything: ClawUp) -> None:
    processes = everything.processes()
    kill_guard(everything.directory)
    everything.child.kill()
    await everything.ended()
    assert running(processes)

    code, output = await claw("down", f"--directory={everything.directory}")

    assert code == 0
    assert "ended what was left:" in output
    await gone(processes)


async def test_what_is_left_when_even_the_guard_was_killed_is_ended_by_the_next_claw_up(directory: Path) -> None:
    async with claw_up(directory, *LIGHT) as up:
        await up.ready()
        left = up.processes()
        kill_guard(directory)
        up.child.kill()
        await up.ended()

    async with claw_up(directory, *LIGHT) as again:
        await again.ready()

        await gone(left)
        interrupt(again)
        assert await again.ended() == 0


async def test_claw_down_ends_a_stack_that_runs_elsewhere(directory: Path) -> None:
    async with claw_up(directory, *LIGHT) as up:
        await up.ready()
        processes = up.processes()

        code, output = await claw("down", f"--directory={directory}")

        assert (code, await up.ended()) == (0, 0)
        assert f"ending the stack of process {up.child.pid}" in output
        assert running(processes) == []


async def test_claw_down_where_nothing_runs_says_so(directory: Path) -> None:
    assert await claw("down", f"--directory={directory}") == (0, "nothing runs here\n")


async def test_a_second_stack_in_the_folder_is_refused_and_the_first_goes_on(directory: Path) -> None:
    async with claw_up(directory, *LIGHT) as first:
        record = await first.ready()

        code, output = await claw("up", f"--directory={directory}")

        assert code == 1
        assert f"another stack runs in {directory} (process {first.child.pid})" in output
        assert "claw down" in output
        assert await first.ready() == record
        assert running(first.processes()) == first.processes()


async def test_ctrl_c_while_it_starts_leaves_no_process(directory: Path) -> None:
    async with claw_up(directory, "--only=kubernetes") as up:
        await eventually((directory / "processes" / "kube-apiserver.json").exists, timeout=30)
        processes = up.processes()

        interrupt(up)

        assert await up.ended() == 130
        assert running(processes) == []


async def test_a_second_ctrl_c_does_not_cut_the_clean_end_short(directory: Path) -> None:
    async with claw_up(directory, "--only=kubernetes") as up:
        await up.ready()
        processes = up.processes()

        interrupt(up)
        await eventually(lambda: "ending everything" in up.output)
        interrupt(up)

        assert await up.ended() == 0
        assert running(processes) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_closed_terminal_or_a_kill_ends_it_in_good_order(directory: Path, number: signal.Signals) -> None:
    async with claw_up(directory, "--only=postgres") as up:
        await up.ready()
        processes = up.processes()

        up.child.send_signal(number)

        assert await up.ended() == 0
        assert running(processes) == []


async def test_a_program_that_dies_is_reported_with_its_log(directory: Path) -> None:
    async with claw_up(directory, "--only=claude") as up:
        await up.ready()
        (claude,) = (note for note in notes.read_notes(directory) if note.name == Part.CLAUDE)

        os.kill(claude.pid, signal.SIGKILL)

        message = f"claude ended by itself (exit code -9); see {directory}/logs/claude.log"
        await eventually(lambda: message in up.output, describe=lambda: up.output)


async def test_a_part_that_cannot_start_ends_the_others_and_says_why(directory: Path, tmp_path: Path) -> None:
    async with claw_up(
        directory, *LIGHT, environment={"CLAW_DEV_DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/postgres"}
    ) as up:
        assert await up.ended() == 1

    assert "claw: the PostgreSQL that CLAW_DEV_DATABASE_URL names does not answer" in up.output
    assert notes.read_notes(directory) == []


async def test_the_persons_own_kubernetes_is_neither_read_nor_written(directory: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    config = home / ".kube" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("this: is no kubeconfig, and whoever reads it fails")
    config.chmod(0)
    before = config.stat()

    person = {"HOME": str(home), "KUBECONFIG": str(config)}
    async with claw_up(directory, "--only=kubernetes", environment=person) as up:
        await up.ready()
        code, output = await claw("kubectl", f"--directory={directory}", "--", "get", "clawplans", environment=person)

    assert (code, "starter" in output) == (0, True)
    assert config.stat() == before
    assert [path for path in home.rglob("*") if path.is_file()] == [config]


async def test_claw_kubectl_without_arguments_prints_what_a_shell_needs(directory: Path) -> None:
    async with claw_up(directory, "--only=kubernetes") as up:
        record = await up.ready()

        code, output = await claw("kubectl", f"--directory={directory}")

    assert (code, output) == (0, f"export KUBECONFIG={record.kubeconfig}\n")


async def test_a_stack_can_use_a_cluster_and_a_server_that_the_person_names(
    directory: Path, tmp_path: Path, postgres_url: str
) -> None:
    async with claw_up(tmp_path / "cluster", "--only=kubernetes") as cluster:
        record = await cluster.ready()
        named = {"CLAW_DEV_KUBECONFIG": str(record.kubeconfig), "CLAW_DEV_DATABASE_URL": postgres_url}

        async with claw_up(directory, "--only=operator", environment=named) as up:
            operator = (await up.ready()).operator_url
            names = {note.name for note in notes.read_notes(directory)}
            async with httpx.AsyncClient(trust_env=False) as client:
                response = await client.get(f"{operator}/healthz")

    assert response.status_code == 200
    assert names == {"operator", "claude", "guard"}


def kill_guard(directory: Path) -> None:
    (guard,) = (note for note in notes.read_notes(directory) if note.name == notes.GUARD)
    os.kill(guard.pid, signal.SIGKILL)
