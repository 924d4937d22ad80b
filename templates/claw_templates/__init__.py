"""The texts of the product, as data: the workspace's files, mails, and database schemas. And a tiny loader.

    render("workspace/SOUL.md.j2", assistant=..., ...)    a template, filled in
    text("database/runtime/0001_tables.sql")              a file as it is
    names("database/runtime", ".sql")                     what there is, in order

A customer's words are only ever values, and a value is inserted, never evaluated: `{{7*7}}` in a name stays
`{{7*7}}`. What Jinja cannot know is where a value may end: in a text of lines a line break in a name starts a new
line, and with it a heading, a list entry or a setting that nobody wrote. Hence the filters, and every template uses
one of them on every free text:

    line      one line: breaks and control characters become blanks, invisible direction marks vanish, the length
              is capped
    quote     a text of several lines as a Markdown quotation, in which a heading is a heading of the quotation
    json      a JSON value, with its quotes
    shell     one line as a value of a `.env` file or a shell, quoted where it must be

Templates ending in `.html.j2` are autoescaped; the others are not HTML. A name that the context lacks is an error.
jinja2 is imported when the first template is rendered: a runtime starts without it.
"""

import json
import re
import shlex
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

LINE_LIMIT = 200

# Direction marks and isolates, zero-width spaces, the byte order mark: what makes a text read other than it is. The
# joiners U+200C and U+200D stay: Persian names and family emoji are spelt with them.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_NOT_PRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LINE_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def render(name: str, **context: Any) -> str:
    """The template of this name, for example `workspace/SOUL.md.j2`, filled in.

    Raises jinja2.UndefinedError when the context lacks a name, jinja2.TemplateNotFound when there is no such template.
    """
    return _environment().get_template(name).render(context)


def text(name: str) -> str:
    """The file of this name as it is. Raises FileNotFoundError."""
    place = _place(name)
    if place is None or not place.is_file():
        raise FileNotFoundError(f"claw_templates has no file {name}")
    return place.read_text(encoding="utf-8")


def names(folder: str, suffix: str = "") -> list[str]:
    """The names of the folder's files, sorted, usable in `text` and `render`. Raises FileNotFoundError."""
    place = _place(folder)
    if place is None or not place.is_dir():
        raise FileNotFoundError(f"claw_templates has no folder {folder}")
    return sorted(f"{folder}/{entry.name}" for entry in place.iterdir() if entry.name.endswith(suffix))


def line(value: object, limit: int = LINE_LIMIT) -> str:
    """Any value as one line of at most `limit` characters that reads as it is."""
    flat = " ".join(_NOT_PRINTED.sub(" ", _INVISIBLE.sub("", str(value))).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def quote(value: object) -> str:
    """A text of several lines as a Markdown quotation: each line begins with `> `."""
    rows = _LINE_BREAK.split(_INVISIBLE.sub("", str(value)).strip())
    return "\n".join(("> " + _NOT_PRINTED.sub(" ", row).rstrip()).rstrip() for row in rows)


def _shell(value: object) -> str:
    return shlex.quote(line(value))


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


@cache
def _environment() -> "ImmutableSandboxedEnvironment":
    from jinja2 import FunctionLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(_template),
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"line": line, "quote": quote, "json": _json, "shell": _shell}
    return environment


def _template(name: str) -> str | None:
    try:
        return text(name)
    except FileNotFoundError:
        return None


def _place(name: str) -> Traversable | None:
    """Where the name leads; None when that would be outside of this package."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return None
    return files(__name__).joinpath(*parts)
