"""Form encoding with nested keys, as Stripe's clients write it: `items[0][price]=price_1&expand[]=customer`. Pure."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

from claw_dev.simulators.stripe.errors import invalid

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")


def parse(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The pairs as a tree of dicts with text at its leaves. Raises StripeProblem for keys that contradict each other.

    Lists stay dicts from position to item here, because only the parameter's type tells a list from metadata
    whose keys happen to be numbers.
    """
    tree: dict[str, Any] = {}
    for key, value in pairs:
        found = _KEY.fullmatch(key)
        if found is None:
            raise invalid(f"Invalid request: the parameter {key!r} is malformed.", key)
        *parents, leaf = [found[1], *_STEP.findall(found[2])]
        node = tree
        for step in parents:
            node = node.setdefault(step or str(len(node)), {})
            if not isinstance(node, dict):
                raise invalid(f"Invalid request: the parameter {key!r} is both a value and a hash.", key)
        node[leaf or str(len(node))] = value
    return tree


def _as_list(value: Any) -> Any:
    if isinstance(value, dict) and all(position.isdigit() for position in value):
        return [value[position] for position in sorted(value, key=int)]
    return value


def _cleared(value: Any) -> Any:
    return None if value == "" else value


T = TypeVar("T")
FormList = Annotated[list[T], BeforeValidator(_as_list)]
"""A list parameter, written `name[]=a&name[]=b` or `name[0]=a&name[1]=b`."""
Clearable = Annotated[T | None, BeforeValidator(_cleared)]
"""A parameter that an empty text unsets. That it was given at all is told by the model's `model_fields_set`."""
