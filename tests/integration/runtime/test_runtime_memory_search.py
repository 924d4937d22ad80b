"""What a search finds: words, forms, typos, scripts without blanks, neighbours, files; and what it must not show."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.bench.remembering import Mind, mind
from tests.clock import Clock
from tests.integration.runtime.world import Tables

DOGS = "The dogs sleep in the kitchen."
CAR = "The car is red."


@pytest.fixture
async def remembering(tables: Tables, tmp_path: Path, clock: Clock) -> AsyncIterator[Mind]:
    """An empty memory."""
    async with mind(tables.url, tmp_path / "workspace", clock) as opened:
        yield opened


async def test_a_memory_is_found_by_its_words_their_forms_and_its_tags(remembering: Mind) -> None:
    for content in (DOGS, CAR):
        await remembering.keep(content)
    await remembering.keep("Call Grace.", tags=("Work", "Work"))

    assert await remembering.contents("dog") == [DOGS]
    assert await remembering.contents("sleeping dogs") == [DOGS]
    assert await remembering.contents("work") == ["Call Grace."]
    assert set(await remembering.contents("dog car")) == {DOGS, CAR}
    assert (await remembering.contents("the red car"))[0] == CAR


async def test_words_are_found_in_the_customers_language_and_without_their_accents(remembering: Mind) -> None:
    remembering.locale = "de-AT"
    await remembering.keep("Die Häuser in Wien sind alt.")
    await remembering.keep("Treffpunkt ist das Café am Ring.")

    assert await remembering.contents("Haus") == ["Die Häuser in Wien sind alt."]
    assert await remembering.contents("CAFE") == ["Treffpunkt ist das Café am Ring."]


async def test_typos_and_parts_of_words_find_the_word(remembering: Mind) -> None:
    await remembering.keep("The dentist in Hamburg is Doctor Petersen.")
    await remembering.keep("Rechnung 100%_sicher")
    await remembering.keep(CAR)

    for typo in ("Petersn", "Pteersen", "Peterson", "dentsit", "Hamburgg"):
        assert (await remembering.contents(typo)) == ["The dentist in Hamburg is Doctor Petersen."], typo
    assert await remembering.contents("echnun") == ["Rechnung 100%_sicher"]


async def test_scripts_without_blanks_are_found_by_their_characters(remembering: Mind) -> None:
    for content in ("私の犬の名前はベロです", "車は赤いです", "我的牙医在上海", "우리 강아지 이름은 보리예요"):
        await remembering.keep(content)

    assert (await remembering.contents("犬の名前は何?"))[0] == "私の犬の名前はベロです"
    assert await remembering.contents("犬") == ["私の犬の名前はベロです"]
    assert (await remembering.contents("牙医"))[0] == "我的牙医在上海"
    assert (await remembering.contents("강아지의 이름"))[0] == "우리 강아지 이름은 보리예요"


async def test_an_answer_is_found_by_the_question_beside_it(remembering: Mind) -> None:
    for content in ("How was your holiday?", "Wet.", "What is your dog called?", "Bello!", "And the weather?"):
        await remembering.keep(content, thread="talk")
    await remembering.keep("Completely different.")

    found = await remembering.contents("name of the dog: what is it called")

    assert found[:2] == ["What is your dog called?", "Bello!"]


async def test_of_two_equals_the_newer_comes_first_and_the_older_is_still_found(remembering: Mind) -> None:
    await remembering.keep("We meet at the old station.")
    remembering.clock.advance(days=90)
    await remembering.keep("We meet at the new station.")

    assert await remembering.contents("where do we meet, at which station") == [
        "We meet at the new station.",
        "We meet at the old station.",
    ]


async def test_files_of_memory_are_found_with_their_lines_as_soon_as_they_are_written(remembering: Mind) -> None:
    await remembering.workspace.write("MEMORY.md", "# Family\n\nThe dog is called Bello.\n")
    await remembering.workspace.write("notes/other.md", "Bello is no memory here.\n")

    (found,) = (await remembering.find("Bello")).memories

    assert (found.path, found.first_line, found.last_line, found.origin) == ("MEMORY.md", 1, 4, "file")
    await remembering.workspace.write("MEMORY.md", "# Family\n\nThe cat is called Minka.\n")
    assert await remembering.contents("Bello") == []
    assert len(await remembering.contents("Minka")) == 1
    await remembering.workspace.delete("MEMORY.md", "*")
    assert await remembering.contents("Minka") == []


async def test_an_agent_sees_its_own_and_everybodys(remembering: Mind) -> None:
    for agent in (None, "main", "coach"):
        await remembering.keep(f"secret of {agent}", agent_id=agent)
    for path in ("MEMORY.md", "USER.md", "agents/coach/MEMORY.md"):
        await remembering.workspace.write(path, f"secret in {path}\n")

    async def seen(agent: str | None) -> set[str]:
        return set(await remembering.contents("secret", agent_id=agent))

    everybodys = {"secret of None", "secret in USER.md"}
    assert await seen("main") == everybodys | {"secret of main", "secret in MEMORY.md"}
    assert await seen("coach") == everybodys | {"secret of coach", "secret in agents/coach/MEMORY.md"}
    assert await seen("nobody") == everybodys
    assert len(await seen(None)) == 6


async def test_filters_narrow_what_is_found(remembering: Mind) -> None:
    start = remembering.clock.now
    await remembering.keep("Dog food is empty.", tags=("shop", "dog"))
    remembering.clock.advance(days=2)
    await remembering.keep("Dog food was bought.", tags=("dog",), created_at=start + timedelta(days=1))
    await remembering.workspace.write("MEMORY.md", "Dog food: the one with rice.\n")

    assert await remembering.contents("dog food", tags=("dog", "shop")) == ["Dog food is empty."]
    assert await remembering.contents("dog food", origins=("file",)) == ["Dog food: the one with rice."]
    assert await remembering.contents("dog food", origins=("import",)) == ["Dog food was bought."]
    assert await remembering.contents("dog food", since=start + timedelta(hours=1)) == ["Dog food was bought."]
    assert await remembering.contents("dog food", until=start + timedelta(hours=1)) == ["Dog food is empty."]
    assert await remembering.contents("dog food", phrases=("WITH rice",)) == ["Dog food: the one with rice."]
    assert set(await remembering.contents("dog food", excluded="buy bought")) == {
        "Dog food is empty.",
        "Dog food: the one with rice.",
    }
    assert await remembering.contents("dog food submarines in winter", threshold=0.9) == []
    assert len(await remembering.contents("dog food", threshold=0.5)) == 3


HOSTILE = (
    "-",
    '"',
    "or",
    "the",
    ":* & | !",
    "a" * 500,
    "\\",
    "'",
    "-dog",
    "%s",
    "🐙",
    "!!!???",
    "' | 'a",
    "\\'",
    "(",
    "<->",
)


@pytest.mark.parametrize("query", HOSTILE)
async def test_no_query_breaks_the_search(remembering: Mind, query: str) -> None:
    await remembering.keep(DOGS)

    await remembering.find(query)
    await remembering.find("dog", excluded=query, phrases=(query,))
    await remembering.memories.recall(query, "main", "en", 5)


async def test_a_question_of_ten_thousand_words_is_answered(remembering: Mind) -> None:
    await remembering.keep(DOGS)
    question = "sleeping dogs " + " ".join(f"word{number}" for number in range(10_000))

    assert await remembering.contents(question) == [DOGS]


async def test_an_emoji_is_a_word(remembering: Mind) -> None:
    await remembering.keep("Mood: 🐙")
    await remembering.keep(CAR)

    assert await remembering.contents("🐙") == ["Mood: 🐙"]
