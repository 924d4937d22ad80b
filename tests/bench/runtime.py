"""`runtime`: what one customer's server costs to start, to keep and to talk to.

Its start is compared with a Python that does nothing, its answers with those of the stand-in for Claude to the very
same questions. The stand-in answers at once: what is measured is the runtime with its database.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil

from tests.bench.assistants import Kitchen, Spent, kitchen, python
from tests.bench.figures import Figure, Row, at_most, compared, percentile
from tests.bench.load import Do, flat_out, offered
from tests.bench.run import Run
from tests.bench.surroundings import cpu_seconds

_STARTS = 9
_ROUNDS = 3
_CHATS = 150
_TALKERS = 8
_SINGLES = 10
_RATE = 20.0
_STEADY_SECONDS = 4.0
_SETTLING_SECONDS = 3.0
"""Until what a configuration sets in motion has come to rest: files, their index, the watch over them."""
_NOTHING = "pass"
_IMPORTS = "import claw_runtime.__main__, claw_runtime.logs, claw_runtime.app, claw_runtime.services"


@dataclass(frozen=True)
class Start:
    """One start, and what it is compared with."""

    health: Spent
    """From exec to /health."""
    imports: Spent
    """A Python that only imports what the runtime begins with."""
    nothing: Spent
    """A Python that does nothing."""


@dataclass(frozen=True)
class Talk:
    """What one fresh runtime did."""

    idle_mb: float
    """Its memory before anybody talked to it."""
    talked_mb: float
    """... and after the first chat."""
    first_ms: float
    """The first chat, which loads the model's client."""
    next_ms: float
    """The median of some that follow, one at a time."""
    chats_per_second: float
    chat_cpu_ms: float
    """Of the runtime alone."""
    answers_per_second: float
    """The stand-in's own."""
    answer_cpu_ms: float
    steady_ms: tuple[float, ...]
    """Each chat's at the steady rate."""
    first_piece_ms: float
    """The median, of chats one after the other, until the first piece of the answer."""
    claudes_first_piece_ms: float
    """The same of the stand-in alone, asked in turn."""


async def measure(run: Run) -> list[Row]:
    """Starts in turn with a Python that does nothing; then chats, in turn with the stand-in alone."""
    starts, talks = [], []
    async with kitchen() as made:
        for number in range(run.count(_STARTS, least=3) + 1):
            run.tell(f"start {number}")
            starts.append(await _start(made))
        for number in range(1, _ROUNDS + 1):
            run.tell(f"chats, round {number} of {_ROUNDS}")
            talks.append(await _talk(made, run))
    # The first start writes the bytecode and fills the page cache: that is another machine's.
    return [*_start_rows(starts[1:]), *_talk_rows(talks)]


async def _start(made: Kitchen) -> Start:
    nothing, imports = await python(_NOTHING), await python(_IMPORTS)
    async with made.assistant() as assistant:
        return Start(assistant.start, imports, nothing)


async def _talk(made: Kitchen, run: Run) -> Talk:
    count = run.count(_CHATS, least=20)
    async with made.assistant() as assistant:
        await assistant.configure()
        await asyncio.sleep(_SETTLING_SECONDS)
        idle = assistant.megabytes
        first = await assistant.chat()
        talked = assistant.megabytes
        following = [await assistant.chat() for _ in range(_SINGLES)]
        chats, chat_cpu = await _flat_out(assistant.chat, count, assistant.process)
        question = await made.last_question()
        answers, answer_cpu = await _flat_out(lambda _: made.ask_claude(question), count, made.claude)
        pieces = [(await assistant.first_piece(), await made.first_piece(question)) for _ in range(count)]
        steady = await offered(assistant.chat, rate=_RATE, seconds=run.seconds(_STEADY_SECONDS))
    return Talk(
        idle_mb=idle,
        talked_mb=talked,
        first_ms=1000 * first,
        next_ms=1000 * percentile(following, 50),
        chats_per_second=chats,
        chat_cpu_ms=chat_cpu,
        answers_per_second=answers,
        answer_cpu_ms=answer_cpu,
        steady_ms=tuple(1000 * seconds for seconds in steady),
        first_piece_ms=1000 * percentile([ours for ours, _ in pieces], 50),
        claudes_first_piece_ms=1000 * percentile([claudes for _, claudes in pieces], 50),
    )


async def _flat_out(do: Do, count: int, process: psutil.Process) -> tuple[float, float]:
    """Requests per second, and the process's CPU for each in milliseconds."""
    before = cpu_seconds(process)
    rate = await flat_out(do, count=count, workers=_TALKERS)
    return rate, 1000 * (cpu_seconds(process) - before) / count


def _start_rows(starts: Sequence[Start]) -> list[Row]:
    def figure(seconds: Callable[[Start], float]) -> Figure:
        return Figure.of((1000 * seconds(start) for start in starts), "ms")

    cpu = figure(lambda s: s.health.cpu)
    imports = figure(lambda s: s.imports.cpu - s.nothing.cpu)
    nothing = "python -c pass"
    wall, floor = figure(lambda s: s.health.wall), figure(lambda s: s.nothing.wall)
    return [
        Row("R1", "exec → /health", wall, f"{nothing}: {floor}", wall / floor, at_most(1000, wall)),
        compared("R2", "CPU for that", cpu, nothing, figure(lambda s: s.nothing.cpu)),
        Row("R3", "of that CPU, imports", imports, "R2", imports / cpu),
    ]


def _talk_rows(talks: Sequence[Talk]) -> list[Row]:
    def figure(unit: str, value: Callable[[Talk], float]) -> Figure:
        return Figure.of(map(value, talks), unit)

    idle, talked = figure("MB", lambda t: t.idle_mb), figure("MB", lambda t: t.talked_mb)
    first, following = figure("ms", lambda t: t.first_ms), figure("ms", lambda t: t.next_ms)
    chats, answers = figure("/s", lambda t: t.chats_per_second), figure("/s", lambda t: t.answers_per_second)
    chat_cpu, answer_cpu = figure("ms", lambda t: t.chat_cpu_ms), figure("ms", lambda t: t.answer_cpu_ms)
    steady = figure("ms", lambda t: percentile(t.steady_ms, 50))
    slowest = figure("ms", lambda t: percentile(t.steady_ms, 99))
    own = figure("ms", lambda t: t.first_piece_ms - t.claudes_first_piece_ms)
    claudes = figure("ms", lambda t: t.claudes_first_piece_ms)
    load = f"{_RATE:.0f} chats/s"
    return [
        Row("R4", "memory before the first chat", idle, f"after it: {talked}", None, at_most(70, idle)),
        compared("R5", "the first chat", first, "the next ones", following, most=10),
        compared("R6", f"chats, {_TALKERS} at a time", chats, "the stand-in itself", answers, least=0.1),
        compared("R7", "CPU for one of them", chat_cpu, "the stand-in's own", answer_cpu, most=8),
        Row("R8", "a chat, p50", steady, load),
        Row("R9", "a chat, p99", slowest, load, None, at_most(100, slowest)),
        Row("R10", "ours before the first piece", own, f"the stand-in's: {claudes}", own / claudes, at_most(5, own)),
    ]
