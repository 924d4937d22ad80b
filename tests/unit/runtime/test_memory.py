"""From texts to words and chunks, and from words to an order."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from claw_runtime.memory.chunking import CHUNK_TOKENS, OVERLAP_TOKENS, chunks, tokens
from claw_runtime.memory.index import dictionary_of
from claw_runtime.memory.ranking import Hit, Term, faded, fused, parts, probes, scored, weight
from claw_runtime.memory.sources import Source, folder, may_see, source
from claw_runtime.memory.spelling import meant, slips
from claw_runtime.memory.words import LONGEST_WORD, words

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def hit(number: int, *, thread: str = "t", place: int = 0, **counts: int) -> Hit:
    return Hit(number, thread, place, 10, None, counts)


def test_words_have_one_spelling_and_come_without_accents_as_well() -> None:
    assert list(words("Ｔhe Dogs' café, STRAẞE 24-7_x")) == ["the", "dogs", "café", "cafe", "strasse", "24", "7", "x"]
    assert list(words("Müller und Йод")) == ["müller", "muller", "und", "йод"]


def test_scripts_without_blanks_become_pairs_and_han_characters_words() -> None:
    assert list(words("犬の名前")) == ["犬", "名", "前", "犬の", "の名", "名前"]
    assert list(words("a 犬 b")) == ["a", "犬", "b"]
    assert list(words("강아지")) == ["강아", "아지"]
    assert list(words("I ❤ 🐙!")) == ["i", "❤", "🐙"]


def test_a_word_has_an_end() -> None:
    assert list(words("x" * 5000)) == ["x" * LONGEST_WORD]
    assert list(words("!?… \n\t--")) == []


@pytest.mark.parametrize(
    ("one", "other", "needed"),
    [
        ("dog", "dog", 0),
        ("hamburg", "hambrug", 1),
        ("peter", "petr", 1),
        ("peter", "petter", 1),
        ("kitten", "mitten", 1),
    ],
)
def test_slips_are_counted(one: str, other: str, needed: int) -> None:
    assert slips(one, other, 2) == slips(other, one, 2) == needed


def test_what_differs_too_much_is_another_word() -> None:
    assert slips("hamburg", "homburgo", 1) is None
    assert slips("abc", "abcdef", 2) is None
    assert meant("cat", ["car", "cut"]) == []


def test_the_likeliest_words_are_meant_first() -> None:
    assert [word for word, _ in meant("petersn", ["petersen", "pattern", "petersns", "xpetersnx"])] == [
        "petersen",
        "petersns",
        "xpetersnx",
    ]


def test_a_short_text_is_one_chunk_with_its_lines() -> None:
    (chunk,) = chunks("\n# Dogs\n\nBello.\n")

    assert (chunk.content, chunk.first_line, chunk.last_line, chunk.heading) == ("# Dogs\n\nBello.", 1, 5, "Dogs")
    assert list(chunks(" \n\n ")) == []


def test_chunks_are_small_overlap_and_lose_nothing() -> None:
    lines = [f"Line {number} says something about the {number}th thing.\n" for number in range(300)]
    found = list(chunks("\n".join(lines)))

    assert all(tokens(chunk.content) <= CHUNK_TOKENS + 1 for chunk in found)
    for before, after in pairwise(found):
        assert before.first_line < after.first_line <= before.last_line + 1
        shared = before.content[-200:].rpartition("Line")[2]
        assert shared in after.content
    text = "\n".join(chunk.content for chunk in found)
    assert all(line.strip() in text for line in lines)
    assert tokens(text) < tokens("\n".join(lines)) * (1 + 2 * OVERLAP_TOKENS / CHUNK_TOKENS)


def test_a_section_begins_a_chunk_and_knows_the_headings_above_it() -> None:
    long = "Words and more words about it. " * 20
    found = list(chunks(f"# Family\n{long}\n## Dog\n{long}\n## Cat\n{long}"))

    assert [chunk.heading for chunk in found] == ["Family", "Family > Dog", "Family > Cat"]
    assert [chunk.content.splitlines()[0] for chunk in found] == ["# Family", "## Dog", "## Cat"]


@pytest.mark.parametrize("text", ["x" * 1_000_000, "word " * 200_000, "犬" * 300_000])
def test_a_line_without_end_becomes_many_chunks(text: str) -> None:
    found = list(chunks(text))

    assert all(tokens(chunk.content) <= CHUNK_TOKENS + 1 for chunk in found)
    assert sum(len(chunk.content) for chunk in found) >= len(text.strip())
    assert {(chunk.first_line, chunk.last_line) for chunk in found} == {(1, 1)}


def test_files_of_memory_belong_to_their_agents() -> None:
    assert source("MEMORY.md") == Source("MEMORY.md", "main", None)
    assert source("USER.md") == Source("USER.md", None, None)
    assert source("memory/2026-11-23.md") == Source("memory/2026-11-23.md", "main", date(2026, 11, 23))
    assert source("agents/coach/memory/plans/a.md") == Source("agents/coach/memory/plans/a.md", "coach", None)
    for path in ("SOUL.md", "memory/x.txt", "agents/coach/SOUL.md", "agents/../MEMORY.md", "xMEMORY.md", "memory/.md"):
        assert source(path) is None
    assert source("memory/2026-99-99.md") == Source("memory/2026-99-99.md", "main", None)


def test_an_agent_may_see_its_own_files_and_who_the_person_is() -> None:
    assert may_see("main", "memory/a.md")
    assert may_see("coach", "USER.md")
    assert may_see("coach", folder("coach") + "MEMORY.md")
    assert not may_see("coach", "MEMORY.md")
    assert not may_see("main", "agents/coach/MEMORY.md")
    assert not may_see("main", "AGENTS.md")


def test_rare_words_weigh_more_and_what_is_everywhere_next_to_nothing() -> None:
    assert weight(1, 1000) > weight(10, 1000) > weight(500, 1000) > weight(1000, 1000) > 0
    assert weight(3, 4) == weight(3, 1000)
    assert weight(1000, 1000) < 0.001


def test_probes_are_the_rarest_and_at_least_one() -> None:
    terms = [Term("rare", 3, 5.0), Term("common", 90_000, 0.1), Term("some", 900, 3.0)]

    assert [term.stem for term in probes(terms, 1000)] == ["rare", "some"]
    assert [term.stem for term in probes(terms[1:2], 1000)] == ["common"]


def test_more_of_a_word_scores_more_but_less_and_less() -> None:
    terms = [Term("dog", 10, 2.0)]
    once, twice, often = (parts(hit(1, dog=count), terms, 10)["dog"] for count in (1, 2, 50))

    assert 0 < once < twice < often < 2 * twice
    assert parts(hit(1, cat=3), terms, 10) == {}


def test_a_neighbour_gives_what_a_turn_lacks_and_a_stranger_gives_nothing() -> None:
    terms = [Term("dog", 10, 2.0), Term("name", 10, 2.0)]
    question, answer, much_later = hit(1, place=16, dog=1, name=1), hit(2, place=32), hit(3, place=160)
    half, elsewhere = hit(4, place=48, dog=1), hit(5, thread="other", place=32)

    scores = scored([question, answer, much_later, half, elsewhere], terms, 10, 16)

    assert scores[1] > scores[4] > scores[2] > 0
    assert scores[3] == scores[5] == 0


def test_what_is_old_fades_a_little_and_what_has_no_date_does_not() -> None:
    assert faded(1.0, NOW, NOW) == faded(1.0, None, NOW) == faded(1.0, NOW + timedelta(days=1), NOW) == 1.0
    assert 0.8 < faded(1.0, NOW - timedelta(days=3650), NOW) < 0.9


def test_orders_are_fused_by_rank() -> None:
    scores = fused([[1, 2, 3], [2, 4], []])

    assert sorted(scores, key=lambda identity: -scores[identity]) == [2, 1, 4, 3]
    assert fused([[7]]) == {7: 1.0}


def test_languages_are_those_that_postgresql_has() -> None:
    assert dictionary_of("de-AT") == "german_stem"
    assert dictionary_of("pt_BR") == "portuguese_stem"
    assert dictionary_of("ja") == "simple"
