"""What the assistant's answer to a beat means: something to tell, or nothing. Pure.

`HEARTBEAT_OK` at the beginning or the end of an answer says that all is well. Models like to add a few words to it, so
as many as REMARK characters are taken for such words, and not told. In the middle of a text the token means nothing.
"""

import re
from datetime import datetime, timedelta

TOKEN = "HEARTBEAT_OK"
REMARK = 300
REPEATED_WITHIN = timedelta(hours=24)

_DECORATION = r"[\s*_`~\"'.!:,;()\[\]-]{0,20}"
"""What models put around the token: Markdown, a full stop. Bounded, or a long row of it would be searched for ever."""
_AT_THE_START = re.compile(rf"^{_DECORATION}{TOKEN}(?![A-Za-z0-9_]){_DECORATION}")
_AT_THE_END = re.compile(rf"[\s*`~]{{0,20}}(?<![A-Za-z0-9_]){TOKEN}{_DECORATION}$")


def to_tell(answer: str) -> str | None:
    """What the customer is to be told; None when there is nothing."""
    text = answer.strip()
    rest = _AT_THE_END.sub("", _AT_THE_START.sub("", text, count=1), count=1).strip()
    acknowledged = rest != text
    if not rest or (acknowledged and len(rest) <= REMARK):
        return None
    return rest


def is_repeated(text: str, last: str | None, told_at: datetime | None, now: datetime) -> bool:
    """Whether it is what was told last, less than a day ago. Blanks and capitals make no difference."""
    if last is None or told_at is None or now - told_at >= REPEATED_WITHIN:
        return False
    return _plain(text) == _plain(last)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
