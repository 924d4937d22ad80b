"""The stand-in's answer to a request. Pure: what it says depends on nothing but the request and its script.

It says that it is a stand-in, whose name it found in the system prompt, how many turns it was shown, and the last one.
"Use the tool web_search", or `[tool: web_search {"query": "claws"}]`, makes it use a tool that was offered; so do
"Please remember that …" and "What do you remember about …?", for whoever just talks to it.

An obedient one does what any text in its prompt orders in these brackets, be it a memory, a file or what a tool
answered, even with tools that nobody offered. `{system}` in an order stands for its whole system prompt. It is the
worst model there can be: what a runtime lets it do, an attacker can do.
"""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from claw_dev.simulators.claude import tokens
from claw_dev.simulators.claude.requests import MessagesRequest, Tool, result_text, said_in
from claw_dev.simulators.claude.script import Scripted

STAND_IN = "(stand-in for Claude: no ANTHROPIC_API_KEY is set)"
"""Every answer of its own begins with it."""

_QUOTED = 300
"""Characters of the last turn that are said again."""
_INTRODUCTION = re.compile(r"(?:\byour name is|\byou are|^\W*name:)\W{0,3}((?:[^\W\d_][\w'’-]* ?){1,4})", re.I | re.M)
_EXPLICIT = re.compile(r"\[tool:\s*(?P<name>[\w-]+)\s*(?P<input>\{.*?\})?\s*\]", re.S)
_PHRASES = (
    ("memory_write", "content", re.compile(r"\bremember that (?P<said>[^.?!\n]+)", re.I)),
    ("memory_search", "query", re.compile(r"\bwhat do you remember about (?P<said>[^.?!\n]+)", re.I)),
)
"""Tool, member of its input, and how people ask for it."""
_SEARCH = re.compile(r"\bsearch the web for (?P<query>[^.?!\n]+)", re.I)
_SYSTEM = "{system}"


@dataclass(frozen=True)
class ToolUse:
    """A tool that the stand-in wants to be used."""

    name: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What is answered: a search of the web first, then the text, then the tools."""

    text: str
    tools: tuple[ToolUse, ...]
    stop_reason: str
    stop_sequence: str | None
    search: str | None = None

    @property
    def tokens(self) -> int:
        """What saying it costs."""
        return tokens.of_text(self.text) + sum(tokens.of_json(tool.input) for tool in self.tools)


def reply_to(request: MessagesRequest, scripted: Scripted | None = None, *, obedient: bool = False) -> Reply:
    """The answer, cut where the request wants it cut."""
    search = _search(request, scripted)
    if scripted is not None:
        tools = tuple(ToolUse(tool.name, tool.input) for tool in scripted.tools)
        said = scripted.text
    else:
        tools = tuple(_ordered(request)) if obedient else tuple(_wanted(request))
        said = _said(request, tools)
    text, stop_reason, stop_sequence = _cut(said, request)
    if stop_reason != "end_turn":
        tools = ()
    elif tools:
        stop_reason = "tool_use"
    if scripted is not None and scripted.stop_reason is not None:
        stop_reason = scripted.stop_reason
    return Reply(text, tools, stop_reason, stop_sequence, search)


def _said(request: MessagesRequest, tools: tuple[ToolUse, ...]) -> str:
    last = request.messages[-1]
    turn = sum(1 for message in request.messages if message.role == "user" and message.text)
    parts = [STAND_IN, f"I am {name_in(request.system_text) or 'nobody in particular'}, and this is turn {turn}."]
    if results := last.of_type("tool_result"):
        parts += [f'The tool answered: "{_quoted(result_text(result))}".' for result in results]
    if last.text:
        parts.append(f'You said: "{_quoted(last.text)}".')
    parts += [f"Let me use {tool.name}." for tool in tools]
    return " ".join(parts)


def name_in(system: str) -> str | None:
    """The name that a system prompt gives to the assistant, in "You are Ada" or "Your name is Ada"."""
    for found in _INTRODUCTION.finditer(system):
        words = itertools.takewhile(lambda word: not word[0].islower(), found[1].split())
        if name := " ".join(words):
            return name
    return None


def _quoted(text: str) -> str:
    return text if len(text) <= _QUOTED else text[:_QUOTED] + "…"


def _search(request: MessagesRequest, scripted: Scripted | None) -> str | None:
    if not any(tool.searches_the_web for tool in request.tools) or request.tool_choice.type == "none":
        return None
    if scripted is not None:
        return scripted.search
    found = _SEARCH.search(request.messages[-1].text)
    return found["query"].strip() if found else None


def _wanted(request: MessagesRequest) -> Iterator[ToolUse]:
    """The tool that the last turn asks for, or that the request forces. Never one that was not offered."""
    usable = {tool.name: tool for tool in request.tools if tool.input_schema is not None}
    choice, said = request.tool_choice, request.messages[-1].text
    if choice.type == "none" or not usable:
        return
    if found := _EXPLICIT.search(said):
        named, given = found["name"], _as_object(said[found.start("input") :] if found["input"] else None)
    else:
        mentioned = (name for name in usable if re.search(rf"\buse (the )?(tool )?{re.escape(name)}\b", said, re.I))
        named, given = next(((name, None) for name in mentioned), _understood(said))
    if choice.type == "tool":
        named = choice.name
    elif choice.type == "any":
        named = named or next(iter(usable))
    if named in usable:
        yield ToolUse(named, given or _made_up_input(usable[named], said))


def _understood(said: str) -> tuple[str | None, dict[str, Any] | None]:
    """The tool, and its input, that somebody means who knows nothing of tools."""
    for name, member, phrase in _PHRASES:
        if found := phrase.search(said):
            return name, {member: found["said"].strip()}
    return None, None


def _ordered(request: MessagesRequest) -> Iterator[ToolUse]:
    """Every tool that any text of the prompt orders, and that was not used yet."""
    texts = [request.system_text, *(said_in(message.content) for message in request.messages)]
    done = {
        (block.get("name"), json.dumps(block.get("input"), sort_keys=True))
        for message in request.messages
        for block in message.of_type("tool_use")
    }
    for text in texts:
        for found in _EXPLICIT.finditer(text):
            given = _as_object(text[found.start("input") :] if found["input"] else None) or {}
            whole = {name: _with_system(value, request.system_text) for name, value in given.items()}
            key = (found["name"], json.dumps(whole, sort_keys=True))
            if key not in done:
                done.add(key)
                yield ToolUse(found["name"], whole)


def _with_system(value: Any, system: str) -> Any:
    return value.replace(_SYSTEM, system) if isinstance(value, str) else value


def _as_object(text: str | None) -> dict[str, Any] | None:
    """The object that the text begins with."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _made_up_input(tool: Tool, said: str) -> dict[str, Any]:
    """An input that the tool's schema allows, as far as simple types go: texts are what the user said."""
    schema = tool.input_schema or {}
    properties = schema.get("properties") or {}
    return {name: _made_up_value(properties.get(name, {}), said) for name in schema.get("required") or ()}


def _made_up_value(schema: dict[str, Any], said: str) -> Any:
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return []
        case "object":
            return {}
    return said


def _cut(text: str, request: MessagesRequest) -> tuple[str, str, str | None]:
    """The text up to the first stop sequence or the last token allowed, why it stops there, and the stop sequence."""
    reason, stopped_by = "end_turn", None
    found = [(text.index(sequence), sequence) for sequence in request.stop_sequences if sequence and sequence in text]
    if found:
        position, stopped_by = min(found)
        text, reason = text[:position], "stop_sequence"
    if tokens.of_text(text) > request.max_tokens:
        return tokens.first_of_text(text, request.max_tokens), "max_tokens", None
    return text, reason, stopped_by
