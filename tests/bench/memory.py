"""`memory`: how much of what was said in earlier conversations is found again, and how fast.

Beside PostgreSQL's own full-text search, over the same sentences and with the same questions. Half of the dialogues
were held out: nothing was tuned with them. See dialogues.txt.
"""

from claw_dev.postgres import create_database
from tests.bench.figures import Figure, Row, at_least, at_most
from tests.bench.memory_recall import Latency, Recall, measure_latency, measure_recall
from tests.bench.remembering import mind
from tests.bench.run import Run
from tests.bench.surroundings import postgres, programs
from tests.clock import Clock

_SIZES = (1_000, 10_000, 100_000)
_QUERIES = 200


async def measure(run: Run) -> list[Row]:
    """Recall first, then speed, in a database each."""
    async with programs() as processes:
        url = await postgres(processes)
        run.tell("asking about dialogues")
        async with mind(await create_database(url, "recall"), processes.directory / "recall", Clock()) as empty:
            recall = await measure_recall(empty)
        async with mind(await create_database(url, "latency"), processes.directory / "latency", Clock()) as empty:
            sizes = [run.count(size, least=100) for size in _SIZES]
            latencies = await measure_latency(empty, sizes, queries=_QUERIES, tell=run.tell)
    return [*_recall_rows(recall), *_latency_rows(latencies)]


def _recall_rows(recall: dict[str, Recall]) -> list[Row]:
    rows = []
    for number, part in enumerate(("all", "held out", "tuned"), 1):
        found = recall[part]
        ours, plain, any_word = map(_share, (found.ours, found.plain, found.plain_any))
        against = f"full-text: {plain}; where any word will do: {any_word}"
        ratio = ours / any_word
        aim = at_least(1.2, ratio) if part != "tuned" else None
        rows.append(Row(f"M{number}", f"recall@10, {part} ({found.questions} questions)", ours, against, ratio, aim))
    return rows


def _latency_rows(latencies: list[Latency]) -> list[Row]:
    rows = []
    for number, latency in enumerate(latencies, 4):
        p95 = Figure.of([latency.p95], "ms")
        p50 = Figure.of([latency.p50], "ms")
        aim = at_most(25, p95)
        rows.append(Row(f"M{number}", f"a search of {latency.entries:,} memories, p95", p95, f"p50: {p50}", None, aim))
    return rows


def _share(share: float) -> Figure:
    return Figure.of([100 * share], "%")
