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
from claw_runtime.web.addresses import LONGEST_URL, Forbidden, Perimeter, own_hosts

CLOSED = ("claw.example.com",)

HOSTILE = """
http://localhost/ | by name
http://LOCALHOST/
http://localhost:80/
http://app.localhost/
http://localhost.localdomain/
http://intranet/ | a name without a dot
http://metadata/
http://instance-data/latest/meta-data/
http://metadata.google.internal/computeMetadata/v1/
http://postgres.railway.internal:5432/
http://claw.railway.internal/
http://printer.local/
http://router.lan/
http://nas.home/
http://router.home.arpa/
http://1.0.0.127.in-addr.arpa/
http://build.corp/
http://wiki.intranet/
http://x.test/
http://x.invalid/
http://expyuzz4wqqyqhjn.onion/
http://claw.example.com/ | the runtime's own
http://CLAW.example.com/
http://status.claw.example.com/
http://127.0.0.1/ | loopback, in all notations
http://127.0.0.1:80/
http://127.255.255.254/
http://127.1/
http://127.0.1/
http://2130706433/
http://017700000001/
http://0x7f000001/
http://0x7f.0.0.1/
http://0x7f.1/
http://0177.0.0.1/
http://0177.0.0.01/
http://127.0.0.01/
http://127.000.000.001/
http://00000177.1/
http://127.0.0.1./
http://127.0.0.0x1/
http://0/
http://0.0.0.0/
http://0x0/
http://0.0.0.0:443/
http://1/
http://4294967295/
http://256.256.256.256/
http://127.0.0.1.0x/
http://１２７.0.0.1/ | letters that only look different
http://①②⑦.⓪.⓪.①/
http://127。0。0。1/
http://127．0．0．1/
http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/
http://ｌｏｃａｌｈｏｓｔ/
http://local\u00adhost/
http://metadata。google。internal/
http://ｍetadata.google.internal/
http://pⓞstgres.railway.internal/
http://xn--/
http://\u0430\u200b/
http://10.0.0.1/ | private
http://10.255.255.255/
http://172.16.0.1/
http://172.31.255.255/
http://192.168.0.1/
http://192.168.1.1:443/
http://100.64.0.1/ | behind a NAT
http://100.100.100.200/latest/meta-data/
http://100.127.255.255/
http://169.254.169.254/latest/meta-data/iam/ | metadata
http://169.254.170.2/v2/credentials
http://169.254.0.1/
http://0xa9fea9fe/
http://2852039166/
http://0251.0376.0251.0376/
http://169.254.43518/
http://168.63.129.16/machine/
http://192.0.0.192/latest/
http://192.0.0.1/
http://192.0.2.1/ | documentation, benchmarks, relays
http://192.88.99.1/
http://198.18.0.1/
http://198.51.100.7/
http://203.0.113.7/
http://224.0.0.1/ | multicast, reserved, broadcast
http://239.255.255.250/
http://240.0.0.1/
http://255.255.255.255/
http://[::]/ | IPv6
http://[::1]/
http://[0:0:0:0:0:0:0:1]/
http://[0000:0000:0000:0000:0000:0000:0000:0001]/
http://[fe80::1]/
http://[fe80::1%25eth0]/
http://[fe80::1%eth0]/
http://[2606:4700::1111%25eth0]/
http://[fc00::1]/
http://[fd00:ec2::254]/latest/meta-data/
http://[fd20:ce::254]/
http://[fec0::1]/
http://[ff02::1]/
http://[100::1]/
http://[2001:db8::1]/
http://[3fff::1]/
http://[5f00::1]/
http://[::ffff:127.0.0.1]/ | IPv4 inside IPv6
http://[::ffff:7f00:1]/
http://[::ffff:0:127.0.0.1]/
http://[::ffff:8.8.8.8]/
http://[::127.0.0.1]/
http://[64:ff9b::127.0.0.1]/
http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b:1::a00:1]/
http://[2002:7f00:1::]/
http://[2002:a9fe:a9fe::1]/
http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/
http://[2606:4700::5efe:127.0.0.1]/
http://[2606:4700::200:5efe:10.0.0.1]/
http://[2606:4700::1111/ | brackets
http://2606:4700::1111/
http://[[2606:4700::1111]]/
http://[2606:4700::1111].evil.com/
http://[v1.x]/
http://[]/
http://[127.0.0.1]/
http://user@example.com/ | credentials
http://user:secret@example.com/
http://@example.com/
http://example.com@127.0.0.1/
http://example.com:80@127.0.0.1/
http://127.0.0.1@example.com/
http://example.com%40127.0.0.1/
http://example.com\\@127.0.0.1/ | two ways to read it
http://127.0.0.1\\.example.com/
http:\\\\127.0.0.1\\
http://example.com\\.evil.com/
http:///127.0.0.1/
http:127.0.0.1/
http:/127.0.0.1/
//127.0.0.1/
http://?/
http://#@127.0.0.1/
http://.example.com/
http://example..com/
http://example.com./
http://-example.com/
http://exa mple.com/
http://exa%6dple.com/
http://%31%32%37.0.0.1/
http://example.com,evil.com/
http://example.com;evil.com/
http://{127.0.0.1}/
http://*.example.com/
http://example.com:22/ | other ports
http://example.com:25/
http://example.com:0/
http://example.com:5432/
http://example.com:6379/
http://example.com:8080/
http://example.com:65616/
http://example.com:99999/
http://example.com:-80/
http://example.com:+80/
http://example.com:8_0/
http://example.com:٨٠/
http://example.com:/
http://example.com:80:80/
http://example.com:80\u0660/
file:///etc/passwd | other schemes
FILE:///etc/passwd
ftp://example.com/
gopher://127.0.0.1:6379/_INFO
dict://127.0.0.1:11211/stats
ldap://example.com/
data:text/html,hello
javascript:alert(1)
jar:http://example.com!/
view-source:http://example.com/
blob:http://example.com/1
ws://example.com/
httpx://example.com/
http+unix://%2Fvar%2Frun%2Fdocker.sock/
unix:///var/run/docker.sock
about:blank
mailto:ada@example.com
example.com
/etc/passwd
http
http://
https://
"""

CASES = [line.partition(" | ")[0] for line in HOSTILE.strip().splitlines()]
CASES = [case.encode().decode("unicode_escape") if "\\u" in case else case for case in CASES]
UNPRINTABLE = [
    "",
    " ",
    "http://exa\nmple.com/",
    "http://example.com/\r\nHost: 127.0.0.1",
    "http://example.com/\x00",
    "\thttp://example.com/",
    "ht\ttp://example.com/",
    "http://exam\x7fple.com/",
    "http://example.com/\ud800",
    "http://example.com/\u2028",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 130 + "com/",
    "http://example.com/" + "a" * LONGEST_URL,
]


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
