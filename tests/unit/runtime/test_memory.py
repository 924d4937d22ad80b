"""How a text is looked for."""

from claw_runtime.memory.memories import is_split_into_words, language_of, like_pattern, pairs_of


def test_languages_are_those_that_postgresql_has() -> None:
    assert language_of("de-AT") == "german"
    assert language_of("pt_BR") == "portuguese"
    assert language_of("ja") == "simple"


def test_scripts_without_blanks_are_told_from_words() -> None:
    assert is_split_into_words("my dog")
    assert not is_split_into_words("私の犬")
    assert not is_split_into_words("x")
    assert pairs_of("a 私の犬") == [" 私", "の犬", "私の"]


def test_a_pattern_finds_the_text_as_it_is() -> None:
    assert like_pattern(" 100%_\\ ") == "%100\\%\\_\\\\%"
