"""The stand-in's answer to a request. Pure: what it says depends on nothing but the request.

It says that it is a stand-in, whose name it found in the system prompt, how many turns it was shown, and the last one.
"Use the tool web_search", or `[tool: web_search {"query": "claws"}]`, makes it use a tool that was offered.
"""

import itertools
import json
import re
from dataclasses import dataclass
from typing import Any

from claw_dev.simulators.claude import tokens
from claw_dev.simulators.claude.requests import Block, MessagesRequest, Tool

STAND_IN = "(stand-in for Claude: no ANTHROPIC_API_KEY is set)"
"""Every answer begins with it."""

_QUOTED = 300
"""Characters of the last turn that are said again."""
_INTRODUCTION = re.compile(r"(?:\byour name is|\byou are|^\W*name:)\W{0,3}((?:[^\W\d_][\w'’-]* ?){1,4})", re.I | re.M)
_EXPLICIT = re.compile(r"\[tool:\s*(?P<name>[\w-]+)\s*(?P<input>\{.*\})?\s*\]", re.S)


@dataclass(frozen=True)
class ToolUse:
    """A tool that the stand-in wants to be used."""

    name: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    text: str
    tool: ToolUse | None
    stop_reason: str
    stop_sequence: str | None
    input_tokens: int
    output_tokens: int


def reply_to(request: MessagesRequest) -> Reply:
    """The answer, cut where the request wants it cut."""
    tool = _wanted_tool(request)
    text, stop_reason, stop_sequence = _cut(_said(request, tool), request)
    if stop_reason != "end_turn":
        tool = None
    elif tool is not None:
        stop_reason = "tool_use"
    spent = tokens.of_text(text) + (tokens.of_json(tool.input) if tool else 0)
    return Reply(text, tool, stop_reason, stop_sequence, tokens.of_request(request), spent)


def _said(request: MessagesRequest, tool: ToolUse | None) -> str:
    last = request.messages[-1]
    turn = sum(1 for message in request.messages if message.role == "user" and message.text)
    parts = [STAND_IN, f"I am {name_in(request.system_text) or 'nobody in particular'}, and this is turn {turn}."]
    if results := last.of_type("tool_result"):
        parts += [f'The tool answered: "{_quoted(_content(result))}".' for result in results]
    if last.text:
        parts.append(f'You said: "{_quoted(last.text)}".')
    if tool is not None:
        parts.append(f"Let me use {tool.name}.")
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


def _content(result: Block) -> str:
    """What a tool answered, as far as it is text. Its blocks were not checked."""
    content = result.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(block["text"]) for block in content if isinstance(block, dict) and "text" in block)


def _wanted_tool(request: MessagesRequest) -> ToolUse | None:
    """The tool that the last turn asks for, or that the request forces. Never one that was not offered."""
    usable = {tool.name: tool for tool in request.tools if tool.input_schema is not None}
    choice, said = request.tool_choice, request.messages[-1].text
    if choice.type == "none" or not usable:
        return None
    if found := _EXPLICIT.search(said):
        named, given = found["name"], found["input"]
    else:
        mentioned = (name for name in usable if re.search(rf"\buse (the )?(tool )?{re.escape(name)}\b", said, re.I))
        named, given = next(mentioned, None), None
    if choice.type == "tool":
        named = choice.name
    elif choice.type == "any":
        named = named or next(iter(usable))
    if named not in usable:
        return None
    return ToolUse(named, _as_object(given) or _made_up_input(usable[named], said))


def _as_object(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "")
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
