"""The perimeter: a table of ways to say "inside" so that it looks like "outside"."""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st
from yarl import URL

from claw_runtime.settings import Settings
from claw_runtime.web.addresses import Forbidden, Perimeter, own_hosts
from tests.unit.runtime.hostile_urls import CASES, UNPRINTABLE

CLOSED = ("claw.example.com",)


@pytest.mark.parametrize("url", CASES + UNPRINTABLE, ids=lambda url: ascii(url)[:60])
def test_it_is_not_visited(url: str) -> None:
    with pytest.raises(Forbidden) as refused:
        Perimeter(closed=CLOSED).address(url)

    assert str(refused.value).endswith(".")


def test_the_table_is_long_enough_to_mean_something() -> None:
    assert len(CASES) + len(UNPRINTABLE) > 150
    assert len(set(CASES)) == len(CASES)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM/A?b=C#d", "https://example.com/A?b=C"),
        (" https://example.com/ ", "https://example.com/"),
        ("https://example.com:443/", "https://example.com/"),
        ("http://example.com:0080/", "http://example.com/"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://example.com?q=1", "https://example.com/?q=1"),
        ("https://example.com/a b/ü?q=ö", "https://example.com/a%20b/%C3%BC?q=%C3%B6"),
        ("https://example.com/a%20b%2Fc", "https://example.com/a%20b%2Fc"),
        ("https://example.com/a/../b/./c", "https://example.com/a/../b/./c"),
        ("https://example.com/a\\b", "https://example.com/a%5Cb"),
        (
            "https://example.com/@user/127.0.0.1?u=http://localhost/",
            "https://example.com/@user/127.0.0.1?u=http://localhost/",
        ),
        ("https://münchen.de/", "https://xn--mnchen-3ya.de/"),
        ("https://日本語.jp/", "https://xn--wgv71a119e.jp/"),
        ("https://faß.de/", "https://xn--fa-hia.de/"),
        ("https://my_host.example.com/", "https://my_host.example.com/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://168.63.129.17/", "http://168.63.129.17/"),
        ("http://172.32.0.1/", "http://172.32.0.1/"),
        ("http://[2606:4700:0::1111]/", "http://[2606:4700::1111]/"),
        ("http://notclaw.example.com/", "http://notclaw.example.com/"),
        ("http://localhost.example.com/", "http://localhost.example.com/"),
    ],
)
def test_what_is_public_is_read_in_one_way_only(written: str, read: str) -> None:
    assert Perimeter(closed=CLOSED).address(written).url == read
    assert Perimeter(closed=CLOSED).address(read).url == read


@pytest.mark.parametrize("ip", ["", "example.com", "127.1", "fe80::1%eth0", "2606:4700::1111%eth0", "8.8.8.8/32"])
def test_what_is_no_plain_address_is_not_admitted(ip: str) -> None:
    assert not Perimeter().admits(ip)


@pytest.mark.parametrize("ip", ["1.1.1.1", "100.63.255.255", "100.128.0.0", "192.0.1.1", "223.255.255.255", "2a00::1"])
def test_neighbours_of_what_is_refused_are_admitted(ip: str) -> None:
    assert Perimeter().admits(ip)


def test_nothing_is_admitted_that_python_calls_private() -> None:
    for number in range(0, 2**32, 65_521 * 7):
        address = ipaddress.IPv4Address(number)
        assert not Perimeter().admits(address) or (address.is_global and not address.is_multicast), address


PARTS = st.sampled_from(
    [
        *(
            "http://",
            "https://",
            "HTTP://",
            "//",
            "/",
            "\\",
            ":",
            "@",
            "#",
            "?",
            "%",
            ".",
            "[",
            "]",
            " ",
            "\t",
            "\n",
            "\x00",
        ),
        *("127.0.0.1", "0x7f", "2130706433", "::1", "::ffff:", "localhost", "example.com", "a", "80", "443", "8080"),
        *(
            "%2f",
            "%40",
            "%00",
            "\u3002",
            "\uff0e",
            "\uff11",
            "\u00ad",
            "\u200d",
            "\u2044",
            "\uff0f",
            "\uff20",
            "ü",
            "xn--",
            "_",
        ),
    ]
)
URLS = st.lists(PARTS | st.characters(), max_size=12).map(lambda parts: "http://" + "".join(parts))


@settings_of(max_examples=500)
@given(URLS)
def test_whatever_is_let_through_is_read_alike_by_everybody(url: str) -> None:
    """The parsers of this process: the standard library's, and the one of the library that connects."""
    try:
        address = Perimeter(closed=CLOSED).address(url)
    except Forbidden:
        return
    plain, library = urlsplit(address.url), URL(address.url, encoded=True)

    assert address.url.isascii()
    assert address.url.isprintable()
    assert address.port in {80, 443}
    assert plain.hostname == library.raw_host == address.host
    assert (plain.port or 80) == library.port == address.port
    assert plain.username is plain.password is library.user is library.password is None
    assert not _is_private(address.host)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host.rpartition(".")[2].isdigit()


def test_a_network_inside_opens_itself_and_nothing_else() -> None:
    perimeter = Perimeter(inside=("127.0.0.0/8",))

    assert perimeter.address("http://127.0.0.1:8123/a").url == "http://127.0.0.1:8123/a"
    assert perimeter.admits("127.0.0.1")
    assert not perimeter.admits("::1")
    with pytest.raises(Forbidden):
        perimeter.address("http://169.254.169.254/")


def test_the_runtimes_own_hosts_are_those_of_its_settings() -> None:
    settings = Settings(
        port=0,
        database_url="postgresql://u:p@ep-1.neon.tech/claw",
        configuration_token_sha256="0" * 64,
        model_api_key="sk-test",
        front_url="https://claw.example.com",
        search_url="http://127.0.0.1:8080/search",
        workspace_dir=Path("workspace"),
    )

    assert own_hosts(settings) == {"ep-1.neon.tech", "claw.example.com", "api.anthropic.com"}
