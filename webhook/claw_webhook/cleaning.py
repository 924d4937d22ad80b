"""What a customer typed, made fit for a line of a prompt, a file or a mail. Pure.

Nothing is escaped here: `${{secrets}}` or `{{ 7 * 7 }}` is a strange name but a harmless one, because whoever prints a
name treats it as data. Only what no name has is taken out: control characters, line breaks, invisible marks that turn
the direction of the text around, and everything after the two-hundredth character.
"""

import unicodedata

NAME_LENGTH = 200
_JOINERS = {"\u200c", "\u200d"}  # Persian and Indic names and emoji need them; they reorder nothing


def clean_line(text: str | None, length: int = NAME_LENGTH) -> str | None:
    """One line of at most `length` characters, spaces collapsed; None when nothing printable is left."""
    if text is None:
        return None
    # Composed first, so that a letter and its accent are not cut apart. A long text is cut before that, too: composing
    # looks at every character, and the longest name that any of Stripe's forms lets through is far below this.
    composed = unicodedata.normalize("NFC", text[: 20 * length])
    kept = "".join(_printable(character) for character in composed)
    return " ".join(kept.split())[:length].strip() or None


def is_plain(text: str) -> bool:
    """Whether the text holds no control character, invisible mark or lone surrogate."""
    return not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in text)


def greeting_name(name: str | None) -> str | None:
    """The name, if it is safe to open a mail with it; None when a neutral greeting is better.

    Anybody can subscribe with somebody else's address and a name such as `You won! http://…`. So a mail only repeats
    what looks like a person's or a company's name: letters, and the few signs that names are written with.
    """
    if name is None or len(name) > 60:
        return None
    words = name.split(" ")
    return name if all(_is_name_word(word) for word in words) else None


def _printable(character: str) -> str:
    if character in _JOINERS:
        return character
    match unicodedata.category(character):
        case "Zs" | "Zl" | "Zp":
            return " "
        case "Cc":
            return " " if character.isspace() else ""
        case "Cf" | "Cs" | "Cn":
            return ""
        case _:
            return character


def _is_name_word(word: str) -> bool:
    # A dot only ends a word ("Dr."): inside one it makes mail programs turn the name into a link.
    letters = word.removesuffix(".").replace("'", "").replace("’", "").replace("-", "")
    return bool(letters) and all(unicodedata.category(letter)[0] in "LM" for letter in letters)
