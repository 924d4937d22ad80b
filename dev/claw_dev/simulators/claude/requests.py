"""The request of the Messages API, and what the API refuses in it. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from claw_dev.simulators.claude.errors import ClaudeProblem, invalid


def _checked(block: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(block.get("type"), str):
        raise ValueError("a content block needs a type")  # noqa: TRY004 - pydantic reports this one
    if block["type"] == "text" and not isinstance(block.get("text"), str):
        raise ValueError("a text block needs a text")
    return block


def _as_blocks(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Block = Annotated[dict[str, Any], AfterValidator(_checked)]
"""A content block. Only its `type` and what the stand-in reads of it matter here."""
Content = Annotated[list[Block], BeforeValidator(_as_blocks)]
"""What is said: blocks, or a mere text in their place."""


class Part(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(Part):
    """One turn."""

    role: Literal["user", "assistant", "system"]
    content: Content

    @property
    def text(self) -> str:
        """Everything said in it."""
        return text_of(self.content)

    def of_type(self, kind: str) -> list[Block]:
        """Its blocks of one type."""
        return [block for block in self.content if block["type"] == kind]


class Tool(BaseModel):
    """A tool that is offered. Those that Anthropic runs itself have a type and no schema."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    type: str | None = None
    input_schema: dict[str, Any] | None = None

    @property
    def searches_the_web(self) -> bool:
        """Whether it is Anthropic's own search."""
        return (self.type or "").startswith("web_search_")


class ToolChoice(Part):
    """Whether a tool may, must or must not be used."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class CountRequest(Part):
    """`POST /v1/messages/count_tokens`. Fields of type Any are accepted and change nothing."""

    model: str
    messages: list[Message] = Field(min_length=1)
    system: Content = []
    tools: list[Tool] = []
    tool_choice: ToolChoice = ToolChoice(type="auto")
    cache_control: Any = None
    output_config: Any = None
    speed: Any = None
    thinking: Any = None
    user_profile_id: Any = None
    workspace_id: Any = None

    @property
    def system_text(self) -> str:
        """The system prompt."""
        return text_of(self.system)


class MessagesRequest(CountRequest):
    """`POST /v1/messages`."""

    max_tokens: int = Field(ge=1)
    stream: bool = False
    stop_sequences: list[str] = []
    container: Any = None
    diagnostics: Any = None
    inference_geo: Any = None
    metadata: Any = None
    service_tier: Any = None


def text_of(blocks: Sequence[Block]) -> str:
    """The text of all text blocks, one line each."""
    return "\n".join(block["text"] for block in blocks if block["type"] == "text")


def said_in(blocks: Sequence[Block]) -> str:
    """Everything in the blocks that a model reads as text: what was said, and what tools answered."""
    found = []
    for block in blocks:
        if block["type"] == "text":
            found.append(block["text"])
        elif block["type"] == "tool_result":
            found.append(result_text(block))
    return "\n".join(found)


def result_text(result: Block) -> str:
    """What a tool answered, as far as it is text. Its blocks were not checked."""
    content = result.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(block["text"]) for block in content if isinstance(block, dict) and "text" in block)


RequestT = TypeVar("RequestT", bound=CountRequest)


def parsed(model: type[RequestT], body: bytes) -> RequestT:
    """The request. Raises ClaudeProblem as the API refuses it."""
    try:
        request = model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise invalid(f"{where or 'The request body is not valid JSON'}: {first['msg']}") from None
    if not request.model.startswith("claude-"):
        raise ClaudeProblem(404, f"model: {request.model}")
    _check_turns(request.messages)
    return request


def _check_turns(messages: Sequence[Message]) -> None:
    if messages[0].role != "user":
        raise invalid('messages: first message must use the "user" role')
    if messages[-1].role == "assistant":
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    for position, message in enumerate(messages):
        if not message.content or any(not block["text"] for block in message.of_type("text")):
            raise invalid(f"messages.{position}: text content blocks must be non-empty")
        _check_tool_results(messages, position)


def _check_tool_results(messages: Sequence[Message], position: int) -> None:
    """Every use of a tool is answered in the very next turn, and nothing else is."""
    following = messages[position + 1] if position + 1 < len(messages) else None
    previous = messages[position - 1] if position else None
    used = {block.get("id") for block in messages[position].of_type("tool_use")}
    answered = {block.get("tool_use_id") for block in following.of_type("tool_result")} if following else set()
    if unanswered := used - answered:
        raise invalid(
            f"messages.{position}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(sorted(map(str, unanswered)))}"
        )
    asked = {block.get("id") for block in previous.of_type("tool_use")} if previous else set()
    for block in messages[position].of_type("tool_result"):
        if block.get("tool_use_id") not in asked:
            raise invalid(
                f"messages.{position}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{block.get('tool_use_id')}. Each `tool_result` block must have a corresponding `tool_use` block in "
                "the previous message."
            )
