"""What a page says to the person who looks at it: HTML in, title, text and links out. Pure.

It runs as a program of its own, `python -m claw_runtime.web.extraction`: the page on standard input, the answer on
standard output. A page can be made so that its parser takes minutes, gigabytes, or a bug in native code. Then this
process ends, by its limits or otherwise, and the runtime goes on. It is started without environment: there is no secret
in it.

What nobody would see is left out, because it is where orders for assistants are hidden. A page that hides by a
stylesheet of its own still gets through: what comes of this is marked as a stranger's words in any case.
"""

import contextlib
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

if TYPE_CHECKING:
    from resiliparse.parse.html import ElementNode, HTMLTree

MAX_TEXT = 400_000
MAX_LINKS = 200
CPU_SECONDS = 5
MEMORY = 512 * 2**20
"""Bytes of address space. A page of the largest size that is fetched takes less than half of it."""

_ENOUGH = 80
"""Characters that make a part of a page worth to be taken for its content."""
_LEAST = 0.2
"""Of a text. Where less is left, something was taken for a menu that is none, such as a restaurant's."""
_UNSEEN = (
    "[hidden]",
    '[aria-hidden="true"]',  # an ornament, or said again in another way
    "dialog:not([open])",
    *("script", "style", "template", "noscript", "iframe", "object", "svg", "canvas", "head"),
)
_AROUND = (
    *("nav", "footer", "aside", "menu", "select", "button"),
    *(f'[role="{role}"]' for role in ("navigation", "contentinfo", "complementary", "search", "dialog", "alertdialog")),
    *('[class*="cookie" i]', '[id*="cookie" i]', '[class*="consent" i]', '[id*="consent" i]'),
    *(
        f"{mark}{name}"
        for mark in ".#"
        for name in ("sidebar", "footer", "menu", "navbar", "nav", "breadcrumb", "breadcrumbs", "newsletter", "social")
    ),
)
"""What stands around the content of a page."""
_CONTENT = ("main", '[role="main"]', "article")
_HIDING = re.compile(
    r"""display:none|visibility:(hidden|collapse)|^(?!.*transform).*opacity:0?\.?0*(;|!|$)|font-size:0(?![.\d]*[1-9])
    |(left|top|right|bottom|text-indent|margin-left|margin-top):-\d{3,}|clip(-path)?:(rect\(0|inset\(50%|inset\(100%)""",
    re.X,
)
"""In a style without spaces. What is transparent and transformed is about to move in: whole pages begin like this."""
_INVISIBLE = re.compile("[\u00ad\u200b\u2060-\u2064\u202a-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")
"""Letters without a shape, and those that turn the direction of others round. Joiners stay: languages need them."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_EMPTY_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Extract:
    """What a page says."""

    title: str
    description: str
    """What the page says of itself to search engines."""
    text: str
    links: tuple[tuple[str, str], ...]
    """What a link is called, and where it leads."""


def extract(page: bytes, url: str, charset: str | None) -> Extract:
    """Read a page of HTML. Raises what the parser raises."""
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(_decoded(page, charset))
    title, description, base = _cleaned(tree.title or ""), _description(tree), _base(tree, url)
    _remove_unseen(tree)
    content, text = _content(tree)
    return Extract(_line(title), _line(description), cleaned(text)[:MAX_TEXT], _links(content, base))


def cleaned(text: str) -> str:
    """Text without letters that nobody sees, and without more space than it needs."""
    # By lines, not by a pattern: a pattern that looks for space before an end of line takes minutes for much space.
    lines = _cleaned(text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _EMPTY_LINES.sub("\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def _cleaned(text: str) -> str:
    return _INVISIBLE.sub("", _CONTROLS.sub("", text))


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


def _decoded(page: bytes, charset: str | None) -> str:
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

    told = map_encoding_to_html5(charset, fallback_utf8=False) if charset else None
    return bytes_to_str(page, told or detect_encoding(page, from_html_meta=True) or "utf-8", errors="replace")


def _description(tree: "HTMLTree") -> str:
    head = tree.head
    if head is None:
        return ""
    found = head.query_selector('meta[name="description"]') or head.query_selector('meta[property="og:description"]')
    return _cleaned(found.getattr("content") or "") if found is not None else ""


def _base(tree: "HTMLTree", url: str) -> str:
    found = tree.head.query_selector("base[href]") if tree.head is not None else None
    return _joined(url, found["href"]) or url if found is not None else url


def _remove_unseen(tree: "HTMLTree") -> None:
    """Take out what a person would not see, and mark headings as such."""
    body, document = tree.body, tree.document
    if body is None or document is None:
        return
    # values(): the library's own iteration over what a selector finds takes time that grows with its square.
    for element in body.query_selector_all(", ".join(_UNSEEN)).values():
        element.decompose()
    for element in body.query_selector_all("[style]").values():
        if _HIDING.search("".join((element.getattr("style") or "").lower().split())):
            element.decompose()
    for level in range(1, 7):
        for heading in body.query_selector_all(f"h{level}").values():
            heading.prepend(document.create_text_node("#" * level + " "))


def _content(tree: "HTMLTree") -> "tuple[ElementNode | None, str]":
    """The part of the page that it is about, and its text.

    Pages that say which part that is are believed. Of the others everything is taken but what is usually around it: a
    guess by the length of paragraphs, which libraries offer, loses short lists and tables, and those are often what
    somebody looks for.
    """
    body = tree.body
    if body is None:
        return None, ""
    for selector in _CONTENT:
        found = body.query_selector_all(selector)
        if len(found) == 1 and len(text := _text(found[0])) >= _ENOUGH:
            return found[0], text
    return body, _text(body)


def _text(element: "ElementNode") -> str:
    """What an element says, without what is around the content, unless that is nearly all there is."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(element.outer_html)
    whole = extract_plain_text(tree, preserve_formatting=True, alt_texts=False)
    content = extract_plain_text(tree, preserve_formatting=True, alt_texts=False, skip_elements=_AROUND)
    return content if len(content) > _LEAST * len(whole) else whole


def _links(content: "ElementNode | None", base: str) -> tuple[tuple[str, str], ...]:
    links: dict[str, str] = {}
    for element in content.query_selector_all("a[href]").values() if content is not None else ():
        url = _joined(base, element.getattr("href") or "")
        name = _line(_cleaned(element.text or ""))[:120]
        if url and name and url != base:
            links.setdefault(url, name)
        if len(links) >= MAX_LINKS:
            break
    return tuple((name, url) for url, name in links.items())


def _joined(base: str, href: str) -> str | None:
    try:
        url = urldefrag(urljoin(base, href.strip())).url
    except ValueError:
        return None
    return url if url.startswith(("http://", "https://")) and len(url) <= 2048 else None


def main() -> None:
    """Read a line of JSON with `url` and `charset`, then the page; write an Extract as JSON."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # where the container runs out of memory, the kernel takes this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    told = json.loads(sys.stdin.buffer.readline())
    found = extract(sys.stdin.buffer.read(), told["url"], told["charset"])
    json.dump(asdict(found), sys.stdout)


if __name__ == "__main__":
    main()
