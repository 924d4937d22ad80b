"""The customer's side of memory: keep, list, find, change, forget, and take everything along."""

import asyncio
import json
import uuid
from typing import Any

import pytest

from claw_crds.instance import Customer
from claw_crds.plan import Limits
from claw_runtime.settings import Settings
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.world import Runtime, Tables, running


async def keep(runtime: Runtime, content: str, **members: Any) -> dict[str, Any]:
    answer = await runtime.post("/api/memory", {"content": content, **members})
    assert answer.status == 201, answer.text
    kept: dict[str, Any] = answer.json
    return kept


async def found(runtime: Runtime, text: str, **filters: Any) -> list[str]:
    answer = await runtime.get("/api/memory/search", params={"q": text, **filters})
    assert answer.status == 200, answer.text
    return [memory["content"] for memory in answer.json["memories"]]


async def test_a_memory_is_kept_with_all_that_belongs_to_it_and_found(runtime: Runtime) -> None:
    kept = await keep(
        runtime,
        "The dentist is Doctor Petersen.",
        tags=["health"],
        agentId="coach",
        thread="talk-1",
        metadata={"source": "form"},
        createdAt="2020-02-29T12:00:00+01:00",
    )

    assert kept["createdAt"] == "2020-02-29T11:00:00Z"
    assert (kept["origin"], kept["agentId"], kept["metadata"]) == ("import", "coach", {"source": "form"})
    assert (await runtime.get(f"/api/memory/{kept['id']}")).json == kept
    answer = (await runtime.get("/api/memory/search?q=dentist")).json
    assert (answer["mode"], answer["degraded"], answer["degradedReason"]) == ("keyword", False, None)
    (memory,) = answer["memories"]
    assert (memory["id"], memory["path"], memory["origin"]) == (kept["id"], None, "import")
    assert 0 < memory["relevance"] <= 1
    assert await found(runtime, "dentist", agent="main") == []
    assert await found(runtime, "dentist", agent="coach", tags="health", origins="import,file") != []
    assert await found(runtime, "dentist", since="2020-03-01T00:00:00Z") == []


async def test_marks_in_a_search_demand_a_phrase_and_exclude_words(runtime: Runtime) -> None:
    await keep(runtime, "The dog is red.")
    await keep(runtime, "Is red a dog's colour?")

    assert await found(runtime, '"dog is red"') == ["The dog is red."]
    assert await found(runtime, "red dogs -colours") == ["The dog is red."]
    assert len(await found(runtime, "red-dog")) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        "limit=0",
        "limit=51",
        "threshold=2",
        "mode=best",
        "origins=mail",
        "since=yesterday",
        "since=0001-01-01T00:00:00Z",
    ],
)
async def test_what_a_search_does_not_take_is_refused(runtime: Runtime, wrong: str) -> None:
    assert (await runtime.get(f"/api/memory/search?q=dog&{wrong}")).status == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"content": " "},
        {"content": "a\x00b"},
        {"content": "x" * 10_001},
        {"content": "x", "metadata": {"k": "\ud800"}},
        {"content": "x", "thread": "a\x00"},
        {"content": "x", "agentId": "../etc"},
        {"content": "x", "createdAt": "2020-01-01T00:00:00"},
        {"content": "x", "createdAt": "9999-12-31T23:59:59-14:00"},
    ],
)
async def test_what_cannot_be_kept_is_refused(runtime: Runtime, wrong: dict[str, Any]) -> None:
    assert (await runtime.post("/api/memory", wrong)).status in (400, 422)


async def test_a_memory_that_is_superseded_is_found_by_its_new_words_only(runtime: Runtime, clock: Clock) -> None:
    kept = await keep(runtime, "Grace lives in Lisbon.", tags=["people"])
    clock.advance(days=1)

    changed = await runtime.call("PUT", f"/api/memory/{kept['id']}", json={"content": "Grace lives in Porto."})

    assert (changed.json["id"], changed.json["tags"]) == (kept["id"], ["people"])
    assert changed.json["createdAt"] == kept["createdAt"] < changed.json["updatedAt"]
    assert await found(runtime, "Lisbon") == []
    assert await found(runtime, "Porto") == ["Grace lives in Porto."]
    events = (await runtime.get(f"/api/memory/{kept['id']}/history")).json["events"]
    assert [(event["event"], event["content"]) for event in events] == [
        ("superseded", "Grace lives in Lisbon."),
        ("created", None),
    ]
    missing = await runtime.call("PUT", f"/api/memory/{uuid.uuid4()}", json={"content": "x"})
    assert (missing.status, missing.problem) == (404, "not-found")


async def test_what_is_forgotten_is_nowhere(runtime: Runtime, tables: Tables) -> None:
    kept = await keep(runtime, "A secret: swordfish.")
    await runtime.call("PUT", f"/api/memory/{kept['id']}", json={"content": "A secret: marlin."})

    assert (await runtime.call("DELETE", f"/api/memory/{kept['id']}")).status == 204

    for path in (f"/api/memory/{kept['id']}", f"/api/memory/{uuid.uuid4()}", f"/api/memory/{uuid.uuid4()}/history"):
        assert (await runtime.get(path)).status == 404
    assert (await runtime.call("DELETE", f"/api/memory/{kept['id']}")).status == 404
    events = (await runtime.get(f"/api/memory/{kept['id']}/history")).json["events"]
    assert [event["event"] for event in events] == ["deleted", "superseded", "created"]
    for table in ("memories", "memory_history", "memory_chunks", "memory_words"):
        rows = await tables.rows(f"select * from {table}")
        assert "swordfish" not in str(rows)
        assert "marlin" not in str(rows)
    assert await tables.rows("select chunks, length from memory_index") == [{"chunks": 0, "length": 0}]


async def test_counts_of_words_stay_true_whatever_is_added_changed_and_forgotten(
    runtime: Runtime, tables: Tables
) -> None:
    kept = await asyncio.gather(*(keep(runtime, f"dog number {n} of many, dog {n % 3}") for n in range(12)))
    paths = [f"/api/memory/{memory['id']}" for memory in kept]
    await asyncio.gather(
        *(runtime.call("PUT", path, json={"content": f"cat {n} of many"}) for n, path in enumerate(paths[:6])),
        *(runtime.call("DELETE", path) for path in paths[4:8]),
    )

    counted = await tables.rows(
        "select word, count(*) as chunks from memory_chunks, unnest(tsvector_to_array(words)) as word group by word"
    )
    known = await tables.rows("select word, chunks from memory_words")
    assert sorted((row["word"], row["chunks"]) for row in known) == sorted(
        (row["word"], row["chunks"]) for row in counted
    )
    assert await tables.rows("select chunks, length from memory_index") == await tables.rows(
        "select count(*) as chunks, sum(length) as length from memory_chunks"
    )


async def test_memories_of_many_pieces_are_found_whole_and_once(runtime: Runtime) -> None:
    content = "\n".join(f"Day {n}: we went to place number {n} and ate soup." for n in range(150))
    await keep(runtime, content)

    assert await found(runtime, "soup") == [content]
    assert await found(runtime, "place 149") == [content]


async def test_as_many_memories_as_the_plan_has_and_not_one_more(runtime: Runtime, tables: Tables) -> None:
    await runtime.configure(limits=Limits(memories=5))

    answers = await asyncio.gather(*(runtime.post("/api/memory", {"content": f"Fact {n}"}) for n in range(20)))

    assert sorted(answer.status for answer in answers) == [201] * 5 + [429] * 15
    refused = next(answer for answer in answers if answer.status == 429)
    assert (refused.json["limitName"], refused.json["limit"], refused.json["used"]) == ("memories", 5, 5)
    assert await tables.value("select count(*) from memories") == 5
    memory = (await runtime.get("/api/memory")).json["memories"][0]["id"]
    assert (await runtime.call("DELETE", f"/api/memory/{memory}")).status == 204
    assert (await runtime.post("/api/memory", {"content": "Room again"})).status == 201


async def test_memories_are_listed_the_latest_first(runtime: Runtime, clock: Clock) -> None:
    for number in range(3):
        await keep(runtime, f"Fact {number}")
        clock.advance(seconds=1)

    first = (await runtime.get("/api/memory?limit=2")).json
    second = (await runtime.get(f"/api/memory?limit=2&cursor={first['nextCursor']}")).json

    listed = [memory["content"] for page in (first, second) for memory in page["memories"]]
    assert listed == ["Fact 2", "Fact 1", "Fact 0"]


async def test_everything_is_exported_one_memory_a_line(runtime: Runtime) -> None:
    assert (await runtime.get("/api/memory/export")).text == ""
    for number in range(3):
        await keep(runtime, f"Fact {number}\nin two lines")

    answer = await runtime.get("/api/memory/export")

    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert sorted(line["content"] for line in lines) == [f"Fact {number}\nin two lines" for number in range(3)]


async def test_another_language_indexes_everything_anew(runtime: Runtime, tables: Tables) -> None:
    await keep(runtime, "Das Haus in Wien ist alt.")
    assert await found(runtime, "Häusern") == []

    await runtime.configure(customer=Customer(id="cus_1", email="a@example.com", locale="de-AT"))

    assert await found(runtime, "Häusern") == ["Das Haus in Wien ist alt."]
    assert await tables.value("select count(*) from memory_chunks where memory_id is not null") == 1


async def test_memories_that_are_older_than_the_index_are_found(
    environment: Settings, clock: Clock, tables: Tables
) -> None:
    async with running(environment, clock) as first:
        await first.configure()
        key = first.key
    for number in range(250):
        await tables.rows(
            "insert into memories (id, content, created_at, updated_at) values (%s, %s, now(), now())",
            uuid.uuid4(),
            f"An old thing, number {number}.",
        )
    async with running(environment, clock) as second:
        second.key = key
        await second.ready()

        async def everything() -> bool:
            return await found(second, "number 249") != [] and await found(second, "number 0") != []

        await eventually(everything)
        assert await tables.value("select count(*) from memory_chunks where memory_id is not null") == 250
