"""Workspace files of one customer."""

import pytest

from tests.integration.runtime.world import Runtime


async def test_the_workspace_is_there_from_the_beginning(runtime: Runtime) -> None:
    files = [file["path"] for file in (await runtime.get("/api/workspace")).json["files"]]

    assert {"SOUL.md", "USER.md", "AGENTS.md", "TOOLS.md", "HEARTBEAT.md", "MEMORY.md", "STATE.json"} <= set(files)


async def test_two_writers_do_not_undo_each_other(runtime: Runtime) -> None:
    read = await runtime.get("/api/workspace/SOUL.md")
    etag = read.headers["ETag"]
    seen = {"If-Match": etag}

    first = await runtime.call("PUT", "/api/workspace/SOUL.md", json={"content": "Calm."}, headers=seen)
    second = await runtime.call("PUT", "/api/workspace/SOUL.md", json={"content": "Wild."}, headers=seen)

    assert first.status == 200
    assert first.headers["ETag"] != etag
    assert (second.status, second.problem) == (412, "precondition-failed")
    assert (await runtime.get("/api/workspace/SOUL.md")).json["content"] == "Calm."


async def test_a_new_file_is_written_and_read(runtime: Runtime) -> None:
    written = await runtime.call("PUT", "/api/workspace/notes/garden.md", json={"content": "Roses.\n"})
    read = await runtime.get("/api/workspace/notes/garden.md")

    assert written.status == read.status == 200
    assert written.json == read.json
    assert (await runtime.get("/api/workspace/notes/none.md")).status == 404


@pytest.mark.parametrize(
    "path", ["..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a//b", ".ssh/id", "a/" * 8 + "b", "x" * 201, "a%00b", "%ed%a0%80"]
)
async def test_a_path_stays_in_the_workspace(runtime: Runtime, path: str) -> None:
    answer = await runtime.call("PUT", f"/api/workspace/{path}", json={"content": "x"})

    assert answer.status in (404, 422)
    assert (await runtime.get(f"/api/workspace/{path}")).status == 404
