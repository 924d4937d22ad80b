"""The workspace's API: preconditions, deletion, history, and what is refused."""

from typing import Any

import pytest

from claw_runtime.workspace import rows, writing
from tests.integration.runtime.world import Answer, Runtime, Tables

PATH = "/api/workspace/notes/garden.md"


async def put(runtime: Runtime, content: str, path: str = PATH, **headers: str) -> Answer:
    names = {"if_match": "If-Match", "if_none_match": "If-None-Match"}
    given = {names[name]: value for name, value in headers.items()}
    return await runtime.call("PUT", path, json={"content": content}, headers=given)


async def history(runtime: Runtime, path: str = "notes/garden.md") -> list[dict[str, Any]]:
    answer = await runtime.get(f"/api/workspace/history/{path}")
    return list(answer.json["versions"])


async def test_a_file_is_only_created_once_when_asked_so(runtime: Runtime) -> None:
    assert (await put(runtime, "Roses.", if_none_match="*")).status == 200
    again = await put(runtime, "Tulips.", if_none_match="*")
    assert (again.status, again.problem) == (412, "precondition-failed")
    assert (await put(runtime, "Tulips.", if_match="*")).status == 200
    assert (await put(runtime, "x", "/api/workspace/none.md", if_match="*")).status == 412


async def test_a_deletion_says_what_it_means_and_is_no_loss(runtime: Runtime) -> None:
    etag = (await put(runtime, "Roses.")).headers["ETag"]
    vague = await runtime.call("DELETE", PATH)
    assert (vague.status, vague.problem) == (428, "precondition-required")
    assert (await runtime.call("DELETE", PATH, headers={"If-Match": '"other"'})).status == 412
    assert (await runtime.call("DELETE", PATH, headers={"If-Match": etag})).status == 204
    assert (await runtime.get(PATH)).status == 404
    assert (await runtime.call("DELETE", PATH, headers={"If-Match": "*"})).status == 404

    (version,) = await history(runtime)
    assert (version["ended"], version["endedBy"]) == ("deleted", "customer")
    restored = await runtime.post("/api/workspace/history/notes/garden.md", {"version": version["id"]})
    assert restored.json["content"] == "Roses."
    assert (await runtime.get(PATH)).headers["ETag"] == etag


async def test_what_a_file_held_before_is_read_and_restored_as_a_new_version(runtime: Runtime) -> None:
    for content in ("one", "two", "three", "three"):
        await put(runtime, content)
    versions = await history(runtime)
    contents = [(await runtime.get(f"{PATH}?version={version['id']}")).json["content"] for version in versions]
    assert contents == ["two", "one"]

    restored = await runtime.post("/api/workspace/history/notes/garden.md", {"version": versions[1]["id"]})
    assert restored.json["content"] == (await runtime.get(PATH)).json["content"] == "one"
    assert [version["size"] for version in await history(runtime)] == [5, 3, 3]


async def test_a_version_belongs_to_one_file(runtime: Runtime) -> None:
    await put(runtime, "one")
    await put(runtime, "two")
    (version,) = await history(runtime)
    assert (await runtime.get(f"/api/workspace/SOUL.md?version={version['id']}")).status == 404
    other = await runtime.post("/api/workspace/history/SOUL.md", {"version": version["id"]})
    assert (other.status, other.problem) == (404, "not-found")
    assert await history(runtime, "no/such.md") == []


async def test_the_history_of_a_file_is_bounded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "KEPT_VERSIONS", 3)
    for number in range(6):
        await put(runtime, f"{number}")
    assert len(await history(runtime)) == 3
    monkeypatch.setattr(rows, "KEPT_VERSIONS", 50)
    monkeypatch.setattr(rows, "KEPT_BYTES", 20)
    for number in range(4):
        await put(runtime, f"{number}" * 10)
    assert [version["size"] for version in await history(runtime)] == [10, 10]


async def test_the_whole_history_is_bounded(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "KEPT_BYTES_IN_ALL", 25)
    for name in ("a", "b", "c"):
        await put(runtime, "x" * 10, f"/api/workspace/{name}")
        await put(runtime, "y" * 10, f"/api/workspace/{name}")
    assert [len(await history(runtime, name)) for name in ("a", "b", "c")] == [0, 1, 1]


async def test_files_are_listed_by_prefix_with_their_authors(runtime: Runtime) -> None:
    await put(runtime, "é")
    listed = (await runtime.get("/api/workspace?prefix=notes/")).json["files"]
    assert [(file["path"], file["size"], file["author"]) for file in listed] == [("notes/garden.md", 2, "customer")]
    assert {file["author"] for file in (await runtime.get("/api/workspace?prefix=memory")).json["files"]} == {"seed"}
    assert (await runtime.get("/api/workspace?prefix=%00")).status == 422


async def test_names_in_other_scripts_are_one_file_however_they_are_composed(runtime: Runtime) -> None:
    written = await put(runtime, "x", "/api/workspace/Ku%CC%88che/%E3%83%A1%E3%83%A2.md")
    assert written.json["path"] == "Küche/メモ.md"
    assert (await runtime.get("/api/workspace/Küche/メモ.md")).status == 200


@pytest.mark.parametrize("path", ["Notes/other.md", "notes/Garden.md", "NOTES", "notes/garden.md/x", "notes"])
async def test_two_paths_that_a_disk_may_take_for_one_are_refused(runtime: Runtime, path: str) -> None:
    await put(runtime, "Roses.")
    answer = await put(runtime, "x", f"/api/workspace/{path}")
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert "notes/garden.md" in answer.json["detail"]


@pytest.mark.parametrize("path", ["soul.md", "Agents/eve/SOUL.md", "history/x", "snapshots", "STATE.json", ".env"])
async def test_a_name_that_means_something_is_not_taken_by_another(runtime: Runtime, path: str) -> None:
    assert (await put(runtime, "x", f"/api/workspace/{path}")).status == 422
    assert (await runtime.call("DELETE", f"/api/workspace/{path}", headers={"If-Match": "*"})).status == 422


async def test_a_full_workspace_says_so_and_gets_room_by_deleting(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(runtime, "Roses.")
    files = len((await runtime.get("/api/workspace")).json["files"])
    monkeypatch.setattr(writing, "MAX_FILES", files)
    refused = await put(runtime, "x", "/api/workspace/more.md")
    assert (refused.status, refused.problem) == (422, "workspace-full")
    assert (await put(runtime, "Tulips and roses.")).status == 200
    await runtime.call("DELETE", PATH, headers={"If-Match": "*"})
    assert (await put(runtime, "x", "/api/workspace/more.md")).status == 200

    monkeypatch.setattr(writing, "MAX_BYTES", 10)
    assert (await put(runtime, "xy", "/api/workspace/more.md")).problem == "workspace-full"
    assert (await put(runtime, "", "/api/workspace/more.md")).status == 200


async def test_a_default_file_that_was_deleted_stays_away(runtime: Runtime) -> None:
    await runtime.call("DELETE", "/api/workspace/TOOLS.md", headers={"If-Match": "*"})
    await runtime.configure(offered=("chat",))
    assert (await runtime.get("/api/workspace/TOOLS.md")).status == 404


async def test_version_1s_files_are_taken_over(runtime: Runtime, tables: Tables) -> None:
    rows_ = await tables.rows("select path, folded, author from workspace_files where path = 'SOUL.md'")
    assert rows_ == [{"path": "SOUL.md", "folded": "soul.md", "author": "seed"}]


@pytest.mark.parametrize(
    "path", ["a%00b", "%ed%a0%80", "%00", "..%2fx", "x" * 500, "%E2%80%AE", "a%0Ab", "%F0%9F%90%99"]
)
async def test_no_path_breaks_any_operation(runtime: Runtime, path: str) -> None:
    anything = {"If-Match": "*"}
    answers = [
        await runtime.get(f"/api/workspace/{path}"),
        await runtime.get(f"/api/workspace/{path}?version=1"),
        await runtime.call("PUT", f"/api/workspace/{path}", json={"content": "x"}),
        await runtime.call("DELETE", f"/api/workspace/{path}", headers=anything),
        await runtime.post(f"/api/workspace/history/{path}", {"version": 1}),
        await runtime.post(f"/api/workspace/snapshots/{path}/restore"),
    ]
    assert {answer.status for answer in answers} <= {404, 409, 422}
    assert (await runtime.get(f"/api/workspace/history/{path}")).status in (200, 404)
    assert (await runtime.get(f"/api/workspace?prefix={path}")).status in (200, 422)


@pytest.mark.parametrize("version", ["0", "-1", "9223372036854775808", "x", "1.5", ""])
async def test_a_version_that_cannot_be_one_is_refused(runtime: Runtime, version: str) -> None:
    assert (await runtime.get(f"/api/workspace/SOUL.md?version={version}")).status == 422
    assert (await runtime.post("/api/workspace/history/SOUL.md", {"version": version})).status == 422
