"""What is taken from a page, and what is not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw_runtime.web.extraction import cleaned, extract
from claw_runtime.web.fetching import Fetched
from claw_runtime.web.reading import Page, Unreadable, decoded, kind_of, piece
from claw_runtime.web.tools import PIECE, told

URL = "https://daily.example/news/otter"
NEWS = """<!doctype html><html><head><title>Otter returns | The Daily</title>
<meta name="description" content="After forty years."></head><body>
<div id="cookie-banner"><p>We use cookies. <button>Accept</button></p></div>
<header><ul class="menu"><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li></ul></header>
<div class="content"><h1>Otter returns</h1><p>After forty years an otter was seen, the council said. It was filmed by a
<a href="camera?id=1&amp;x=2#now">camera</a>&nbsp;that counts fish.</p><h2>What it eats</h2>
<ul><li>Fish</li><li>Crayfish<ul><li>seldom</li></ul></li></ul>
<table><tr><th>Year</th><th>Otters</th></tr><tr><td>1980</td><td>4</td></tr></table>
<pre>one
  two</pre></div>
<div class="sidebar"><a href="/1">Most read</a></div>
<footer>© The Daily</footer><script>track()</script></body></html>"""


def text_of(html: str) -> str:
    return extract(html.encode(), URL, "utf-8").text


def test_an_article_is_read_with_its_lists_and_tables_and_without_what_is_around_it() -> None:
    found = extract(NEWS.encode(), URL, None)

    assert (found.title, found.description) == ("Otter returns | The Daily", "After forty years.")
    lines = [line.split() for line in found.text.splitlines() if line.strip()]
    assert lines[0] == ["#", "Otter", "returns"]
    assert ["##", "What", "it", "eats"] in lines
    assert ["•", "Fish"] in lines
    assert ["•", "seldom"] in lines
    assert ["1980", "4"] in lines
    assert "camera" in found.text
    assert "one\n  two" in found.text
    for around in ("cookies", "Home", "Most read", "©", "track", "Accept"):
        assert around not in found.text
    assert ("camera", "https://daily.example/news/camera?id=1&x=2") in found.links


def test_a_page_that_says_what_it_is_about_is_believed() -> None:
    main = "<p>This is what the page is about, in some words: it goes on for more than a line of text.</p>"

    assert text_of(f"<div>Around</div><main>{main}</main><div>Around</div>").startswith("This is what")
    assert "Around" not in text_of(f"<div>Around</div><article>{main}</article>")
    assert text_of(f"<article>{main}</article><article><p>Another one</p></article>").endswith("Another one")


def test_a_restaurants_menu_is_no_menu() -> None:
    assert "Soup" in text_of(
        "<h1>Food</h1><div class=menu><p>Soup with bread, 4.50</p><p>Fish with rice, 9.80</p></div>"
    )


@pytest.mark.parametrize(
    "hiding",
    [
        "<p hidden>{}</p>",
        "<p hidden=until-found>{}</p>",
        '<p aria-hidden="true">{}</p>',
        '<p style="display:none">{}</p>',
        '<p style="DISPLAY\t:\nNone!important">{}</p>',
        '<p style="color: red; display : none ;">{}</p>',
        '<p style="visibility: hidden">{}</p>',
        '<p style="visibility:collapse">{}</p>',
        '<p style="opacity:0">{}</p>',
        '<p style="opacity: 0.0;">{}</p>',
        '<p style="font-size:0">{}</p>',
        '<p style="font-size: 0px">{}</p>',
        '<p style="position:absolute; left:-9999px">{}</p>',
        '<p style="text-indent:-5000px">{}</p>',
        '<p style="clip: rect(0,0,0,0)">{}</p>',
        '<p style="clip-path: inset(100%)">{}</p>',
        '<div style="display:none"><div style="display:block">{}</div></div>',
        "<!-- {} -->",
        "<template><p>{}</p></template>",
        "<noscript>{}</noscript>",
        "<script>{}</script>",
        "<script type=text/plain>{}</script>",
        "<style>{}</style>",
        "<iframe>{}</iframe>",
        "<object>{}</object>",
        "<svg><title>{}</title><text>{}</text></svg>",
        "<dialog>{}</dialog>",
        "<input type=hidden value='{}'>",
        "<input placeholder='{}'>",
        "<textarea>{}</textarea>",
        "<img src=x alt='{}'>",
        "<p title='{}' data-x='{}'>x</p>",
        "<a href='https://x.example/?{}'>x</a>",
        "<head><meta name=note content='{}'></head>",
    ],
)
def test_what_nobody_would_see_is_not_read(hiding: str) -> None:
    page = f"<body><p>Before, and long enough to be read.</p>{hiding.replace('{}', 'Obey')}<p>After</p>"

    assert "Obey" not in text_of(page)
    assert "After" in text_of(page)


@pytest.mark.parametrize(
    "showing",
    [
        '<p style="opacity:0.5">{}</p>',
        '<p style="opacity:0;transform:translateY(20px)">{}</p>',
        '<p style="font-size:0.9em">{}</p>',
        '<p style="left:-9px">{}</p>',
        "<b>{}</b>",
    ],
)
def test_what_is_seen_is_read(showing: str) -> None:
    assert "Seen" in text_of(f"<p>Before</p>{showing.replace('{}', 'Seen')}")


def test_letters_that_nobody_sees_are_taken_out() -> None:
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")

    assert text_of(f"<p>Hel\u200blo{tags}\u202e world\ufeff\u2066") == "Hello world"
    assert text_of("<p>می\u200cخواهم 👨\u200d👩") == "می\u200cخواهم 👨\u200d👩"  # these mean something


@pytest.mark.parametrize(
    "href",
    ["javascript:alert(1)", "data:text/html,x", "mailto:a@b.example", "http://[", "#top", "", "ftp://x.example/"],
)
def test_a_link_that_leads_to_no_page_is_not_listed(href: str) -> None:
    assert extract(f'<a href="{href}">x</a>'.encode(), URL, None).links == ()


def test_links_are_listed_once_and_from_the_pages_own_base() -> None:
    base = b'<head><base href="https://other.example/d/"></head>'
    links = b"<a href=a#1>A</a><a href=a#2>Again</a><a href=/b><b>B</b></a>"

    assert extract(base + links, URL, None).links == (
        ("A", "https://other.example/d/a"),
        ("B", "https://other.example/b"),
    )


@pytest.mark.parametrize(
    "page", [b"", b"\x00", b"<", b"<html", b"\xff\xfe", b"<frameset>", b"<plaintext>a", b"&#xD800;"]
)
def test_no_page_is_too_broken(page: bytes) -> None:
    found = extract(page, URL, "no-such-charset")

    assert "\x00" not in found.text
    found.text.encode()


@given(st.binary(max_size=300))
def test_no_bytes_are_too_broken(page: bytes) -> None:
    extract(b"<p>" + page, URL, None).text.encode()


def fetched(body: bytes, media_type: str = "text/plain", charset: str | None = None) -> Fetched:
    return Fetched(URL, 200, media_type, charset, body, complete=True)


@pytest.mark.parametrize(
    ("media_type", "body", "kind"),
    [
        ("text/html", b"", "html"),
        ("application/xhtml+xml", b"", "html"),
        ("text/plain", b"<html>", "text"),
        ("text/csv", b"a,b", "text"),
        ("application/json", b"{}", "text"),
        ("application/problem+json", b"{}", "text"),
        ("application/rss+xml", b"<rss>", "text"),
        ("application/xml", b'<?xml version="1.0"?><html>', "html"),
        ("", b" <!doctype HTML>", "html"),
        ("application/octet-stream", b"hello", "text"),
    ],
)
def test_what_can_be_read_is_known_by_type_and_beginning(media_type: str, body: bytes, kind: str) -> None:
    assert kind_of(fetched(body, media_type)) == kind


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", "", "x", "application/vnd.ms-excel"])
def test_what_cannot_be_read_is_said_to_be_what_it_is(media_type: str) -> None:
    with pytest.raises(Unreadable, match="Only web pages and texts"):
        kind_of(fetched(b"\x00\x01", media_type))


def test_a_server_cannot_speak_in_the_runtimes_name() -> None:
    with pytest.raises(Unreadable) as refused:
        kind_of(fetched(b"\x00\x01", "image/png and now obey"))

    assert "obey" not in str(refused.value)


@given(st.binary(max_size=50), st.text(max_size=20) | st.sampled_from(["idna", "utf-7", "utf-16", "iso-2022-jp"]))
def test_any_text_in_any_charset_is_decoded(body: bytes, charset: str) -> None:
    decoded(fetched(body, charset=charset)).encode()


def test_a_letter_that_was_cut_in_two_does_not_make_a_text_another_one() -> None:
    assert decoded(fetched("für Bär".encode()[:-2])) == "für B\ufffd"


@pytest.mark.parametrize("text", [" " * 400_000, "\n" * 400_000, " \n" * 200_000, "\u200b" * 400_000, "\r" * 400_000])
def test_much_of_nothing_is_cleaned_at_once(text: str) -> None:
    begun = time.process_time()

    assert cleaned(f"a{text}b").startswith("a")
    assert time.process_time() - begun < 1


@given(st.text(alphabet="ab \n", max_size=300), st.integers(20, 60))
def test_pieces_make_up_the_whole_text(text: str, length: int) -> None:
    pieces, offset = [], 0
    while offset < len(text):
        part = piece(text, offset, length)
        assert part.start < part.end <= part.start + length
        pieces.append(part.text)
        offset = part.end

    assert "".join(pieces) == text


def test_a_piece_beyond_the_end_is_empty() -> None:
    assert piece("abc", 99, 10).text == ""


def page(text: str, *, complete: bool = True) -> Page:
    return Page(URL, 200, "Title", "About", text, (("A", "https://a.example/"),), complete)


def test_a_page_is_told_with_its_address_and_where_it_goes_on() -> None:
    long = page("word " * 5000)

    first = told(long, 0, links=False)
    assert first.startswith(f"Title\n{URL}\n\nword")
    assert f"Go on with offset {PIECE}." in first
    last = told(long, 24_000, links=True)
    assert last.startswith("word")
    assert last.endswith("Links:\n- A: https://a.example/")
    assert "Go on" not in last


def test_a_page_that_was_cut_says_so() -> None:
    assert "the rest is missing" in told(page("words " * 20, complete=False), 0, links=False)
