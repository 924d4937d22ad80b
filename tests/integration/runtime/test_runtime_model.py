"""Claude on bad days: slow, busy, cut, or not there."""

from random import Random

import pytest

from claw_dev.ports import free_port
from claw_dev.simulators.claude.simulator import ClaudeSimulator
from claw_dev.simulators.faults import Fault, FaultKind
from claw_runtime.problems import Problem
from claw_runtime.turns.draft import Draft
from claw_runtime.turns.messages import Prompt
from claw_runtime.turns.model import Claude

PROMPT = Prompt(
    model="claude-test",
    stable="You are Ada.",
    question="How are you?",
    volatile="Today is Sunday.",
)


async def answer(model: Claude) -> Draft:
    """Let the model complete a draft."""
    draft = Draft()
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    try:
        await model.answer(PROMPT, draft, hear)
    finally:
        await model.close()
    assert "".join(heard) == draft.text
    return draft


async def failure(model: Claude) -> tuple[str, str | None]:
    """The kind of problem and Retry-After with which it fails."""
    with pytest.raises(Problem) as failed:
        await answer(model)
    return failed.value.kind.slug, failed.value.headers.get("Retry-After")


async def test_an_answer_is_complete_and_counted(claude: ClaudeSimulator) -> None:
    draft = await answer(Claude(claude.url, "sk-test"))

    usage = claude.calls.all()[-1].answer["usage"]
    assert draft.complete
    assert "How are you?" in draft.text
    assert (draft.tokens.input, draft.tokens.output) == (usage["input_tokens"], usage["output_tokens"])


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.LOST_ANSWER])
async def test_a_connection_that_breaks_at_once_is_made_anew(claude: ClaudeSimulator, kind: FaultKind) -> None:
    claude.faults.add(Fault(kind=kind))

    assert (await answer(Claude(claude.url, "sk-test"))).complete


async def test_told_to_wait_long_it_does_not_wait_but_passes_it_on(claude: ClaudeSimulator) -> None:
    claude.faults.add(Fault(kind=FaultKind.ERROR, status=429, retry_after=3600, times=9))

    assert await failure(Claude(claude.url, "sk-test")) == ("model-busy", "600")
    assert len(claude.faults.waiting()) == 1
    assert claude.faults.waiting()[0].times == 8, "it asked once"


async def test_busy_in_the_middle_of_an_answer_is_still_busy(claude: ClaudeSimulator) -> None:
    claude.faults.add(Fault(kind=FaultKind.ERROR_IN_STREAM, status=529, events=3))

    assert (await failure(Claude(claude.url, "sk-test")))[0] == "model-busy"


async def test_an_answer_that_does_not_begin_is_not_waited_for(claude: ClaudeSimulator) -> None:
    claude.faults.add(Fault(kind=FaultKind.SLOW, seconds=60, times=9))

    assert (await failure(Claude(claude.url, "sk-test", begin=0.3)))[0] == "model-busy"


async def test_silence_ends_the_wait(claude: ClaudeSimulator) -> None:
    claude.faults.add(Fault(kind=FaultKind.TIMEOUT, seconds=60, times=9))

    assert (await failure(Claude(claude.url, "sk-test", silence=0.1)))[0] == "model-busy"


async def test_where_nobody_answers_the_model_is_said_to_have_failed() -> None:
    nobody = Claude(f"http://127.0.0.1:{free_port(Random())}", "sk-test")

    assert (await failure(nobody))[0] == "model-failed"
