"""Search by meaning, with a stand-in for an embedding API and the real pgvector; and what is told without them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claw_runtime.memory.embedding import EmbeddingFailed, HttpEmbedder
from tests.bench.remembering import Mind, mind
from tests.clock import Clock
from tests.eventually import eventually
from tests.integration.runtime.simulated_embedder import EmbedderSimulator, simulated_embedder
from tests.integration.runtime.world import Tables

DOG = "Bello sleeps in the kitchen."
CAR = "The Volvo needs new tyres."
NOTHING_IN_COMMON = "Which pet is it?"


@pytest.fixture
async def api() -> AsyncIterator[EmbedderSimulator]:
    async with simulated_embedder() as simulator:
        yield simulator


def embedder(api: EmbedderSimulator, model: str = "small") -> HttpEmbedder:
    return HttpEmbedder(api.url, "embed-key", model)


@pytest.fixture
async def able(tables: Tables) -> Tables:
    """A database with pgvector."""
    await tables.rows("create extension vector")
    return tables


@pytest.fixture
async def remembering(able: Tables, api: EmbedderSimulator, tmp_path: Path, clock: Clock) -> AsyncIterator[Mind]:
    async with mind(able.url, tmp_path / "workspace", clock, embedder(api)) as opened:
        yield opened


async def whole(remembering: Mind) -> bool:
    """Whether the vectors are complete."""
    return not (await remembering.find("anything")).degraded


async def test_meaning_finds_what_has_no_word_in_common(remembering: Mind) -> None:
    await remembering.keep(DOG)
    await remembering.keep(CAR)
    await remembering.workspace.write("MEMORY.md", "Penicillin is bad for me.\n")
    await eventually(lambda: whole(remembering))

    found = await remembering.find(NOTHING_IN_COMMON)

    assert (found.mode, found.degraded) == ("hybrid", False)
    assert found.memories[0].content == DOG
    assert found.memories[0].relevance > 0.5
    assert (await remembering.contents("which drug"))[0] == "Penicillin is bad for me."
    assert (await remembering.find(NOTHING_IN_COMMON, threshold=0.5)).memories[0].content == DOG
    assert len((await remembering.find(NOTHING_IN_COMMON, threshold=0.5)).memories) == 1


async def test_the_mode_decides_what_is_searched_by(remembering: Mind) -> None:
    await remembering.keep(DOG)
    await eventually(lambda: whole(remembering))

    by_words = await remembering.find(NOTHING_IN_COMMON, mode="keyword")
    by_meaning = await remembering.find(NOTHING_IN_COMMON, mode="vector")

    assert (by_words.mode, by_words.memories, by_words.degraded) == ("keyword", (), False)
    assert (by_meaning.mode, [memory.content for memory in by_meaning.memories]) == ("vector", [DOG])


async def test_filters_hold_for_meaning_as_well(remembering: Mind) -> None:
    await remembering.keep(DOG, agent_id="coach", tags=("pets",))
    await eventually(lambda: whole(remembering))

    assert await remembering.contents(NOTHING_IN_COMMON, agent_id="main") == []
    assert await remembering.contents(NOTHING_IN_COMMON, agent_id="coach", tags=("pets",)) == [DOG]


async def test_what_is_forgotten_has_no_vector(remembering: Mind, able: Tables) -> None:
    kept = await remembering.keep(DOG)
    await eventually(lambda: whole(remembering))
    assert await able.value("select count(*) from memory_vectors") == 1

    await remembering.memories.delete(kept.id)

    assert await able.value("select count(*) from memory_vectors") == 0


async def test_writing_does_not_wait_for_the_embedder_and_a_search_not_long(
    remembering: Mind, api: EmbedderSimulator
) -> None:
    api.hold = asyncio.Event()
    async with asyncio.timeout(1.5):
        await remembering.keep(DOG)

    async with asyncio.timeout(4):
        found = await remembering.find("Bello")

    assert [memory.content for memory in found.memories] == [DOG]
    assert (found.mode, found.degraded) == ("keyword", True)
    assert found.degraded_reason is not None


async def test_a_failing_embedder_is_told_and_words_still_find(able: Tables, tmp_path: Path, clock: Clock) -> None:
    async with simulated_embedder() as api:
        api.status = 503
        async with mind(able.url, tmp_path / "workspace", clock, embedder(api)) as remembering:
            await remembering.keep(DOG)

            async def told() -> bool:
                found = await remembering.find("Bello")
                assert [memory.content for memory in found.memories] == [DOG]
                return found.degraded and found.degraded_reason == "The embedding model is busy or failing."

            await eventually(told)
            assert (await remembering.find("Bello")).mode == "keyword"
    async with simulated_embedder() as api, mind(able.url, tmp_path / "w", clock, embedder(api)) as healed:
        await eventually(lambda: whole(healed))
        assert await healed.contents(NOTHING_IN_COMMON) == [DOG]


async def test_without_pgvector_words_must_do_and_the_reason_is_told(
    tables: Tables, api: EmbedderSimulator, tmp_path: Path, clock: Clock
) -> None:
    url = tables.url  # a role that may not install it
    async with mind(url, tmp_path / "workspace", clock, embedder(api)) as remembering:
        await remembering.keep(DOG)

        async def told() -> bool:
            return "pgvector" in ((await remembering.find("Bello")).degraded_reason or "")

        await eventually(told)
        assert await remembering.contents("Bello") == [DOG]
        assert api.texts == []


async def test_without_an_embedder_meaning_that_was_asked_for_is_refused_honestly(
    tables: Tables, tmp_path: Path, clock: Clock
) -> None:
    async with mind(tables.url, tmp_path / "workspace", clock) as remembering:
        await remembering.keep(DOG)

        assert not (await remembering.find("Bello")).degraded
        asked = await remembering.find("Bello", mode="vector")
        assert (asked.mode, asked.degraded, len(asked.memories)) == ("keyword", True, 1)


async def test_another_model_or_dimension_makes_all_vectors_anew(
    able: Tables, api: EmbedderSimulator, tmp_path: Path, clock: Clock
) -> None:
    async with mind(able.url, tmp_path / "workspace", clock, embedder(api)) as first:
        await first.keep(DOG)
        await eventually(lambda: whole(first))
    api.dimension = 96
    api.texts.clear()
    async with mind(able.url, tmp_path / "workspace", clock, embedder(api, "large")) as second:
        await eventually(lambda: whole(second))

        assert await second.contents(NOTHING_IN_COMMON) == [DOG]
        assert DOG in api.texts
        assert await able.rows("select vector_model, vector_dimension from memory_index") == [
            {"vector_model": "large", "vector_dimension": 96}
        ]


async def test_a_restart_makes_no_vector_twice(
    able: Tables, api: EmbedderSimulator, tmp_path: Path, clock: Clock
) -> None:
    async with mind(able.url, tmp_path / "workspace", clock, embedder(api)) as first:
        await first.keep(DOG)
        await eventually(lambda: whole(first))
    api.texts.clear()
    async with mind(able.url, tmp_path / "workspace", clock, embedder(api)) as second:
        await eventually(lambda: whole(second))

        assert DOG not in api.texts


async def test_one_text_that_is_refused_does_not_hold_up_the_others(
    remembering: Mind, api: EmbedderSimulator, able: Tables
) -> None:
    api.refuses = "swordfish"
    for content in (DOG, "The password is swordfish.", CAR):
        await remembering.keep(content)

    await eventually(lambda: whole(remembering))

    assert await able.value("select count(*) from memory_vectors") == 2
    assert (await remembering.contents(NOTHING_IN_COMMON))[0] == DOG
    assert await remembering.contents("password", mode="keyword") == ["The password is swordfish."]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"data": []}),
        (200, {"data": [{"index": 0, "embedding": []}]}),
        (200, {"data": [{"index": 3, "embedding": [1.0]}]}),
        (200, {"data": [{"index": 0, "embedding": [1e999]}]}),
        (200, {"data": [{"index": 0, "embedding": [0.0, 0.0]}]}),
        (200, [1, 2, 3]),
        (302, {}),
        (401, {}),
        (404, {}),
        (500, None),
    ],
)
async def test_an_answer_that_is_none_is_a_failure_with_a_reason(
    api: EmbedderSimulator, status: int, answer: object
) -> None:
    api.status, api.answer = status, answer
    asking = embedder(api)

    with pytest.raises(EmbeddingFailed, match=r"^The(re is no)? embedding|^There is no embedding"):
        await asking.embed(["x"], 5)
    await asking.close()
