"""The measurements of the benchmark, small: what they measure must be there at all."""

from pathlib import Path

from tests.bench.dialogues import dialogues, questions
from tests.bench.memory_recall import measure_latency, measure_recall
from tests.bench.remembering import mind
from tests.clock import Clock
from tests.integration.runtime.world import Tables


def test_every_question_has_an_answer_in_its_dialogue() -> None:
    said = dialogues()
    turns = {(dialogue.name, place): text for dialogue in said for place, text in enumerate(dialogue.turns)}

    assert len(said) >= 60
    assert dialogues() == said
    assert all(answer in turns for question in questions(said) for answer in question.answers)
    assert not any("{" in text for text in turns.values())
    assert 0.3 < sum(question.held_out for question in questions(said)) / len(questions(said)) < 0.7


async def test_more_is_found_than_by_plain_full_text_search(tables: Tables, tmp_path: Path, clock: Clock) -> None:
    async with mind(tables.url, tmp_path / "workspace", clock) as empty:
        recall = await measure_recall(empty, copies=2)

    for part in ("all", "tuned", "held out"):
        assert recall[part].ours >= 1.2 * recall[part].plain
        assert recall[part].ours >= 1.2 * recall[part].plain_any


async def test_latency_is_measured_at_each_size(tables: Tables, tmp_path: Path, clock: Clock) -> None:
    async with mind(tables.url, tmp_path / "workspace", clock) as empty:
        measured = await measure_latency(empty, (300, 600), queries=10)

        assert [latency.entries for latency in measured] == [300, 600]
        assert all(0 < latency.p50 <= latency.p95 for latency in measured)
        assert await tables.value("select count(*) from memories") == 600
