"""The names that archived databases have at Neon. Pure.

What was annotated at a branch's creation cannot be changed later, so the promise to keep it is in its name. The day in
it is the last one: what is kept until some hour of a day is kept until that day has ended.
"""

import re
from datetime import UTC, datetime, timedelta

_ARCHIVED = re.compile(r"(?P<name>.+)-archived-(?P<day>\d{8})")


def archived_name(name: str, until: datetime) -> str:
    """The name of what is kept until that moment: `claw-…-archived-20270115`."""
    return f"{name}-archived-{until.astimezone(UTC):%Y%m%d}"


def without_archive(name: str) -> str:
    """The name that it had before it was archived, if it is."""
    found = _ARCHIVED.fullmatch(name)
    return name if found is None else found["name"]


def archived_until(name: str) -> datetime | None:
    """The moment until which it is kept; None when the name is not that of something archived."""
    found = _ARCHIVED.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found["day"], "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        return None
