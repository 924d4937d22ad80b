"""Where the runtime may go on somebody's word. Pure.

A model asks for pages because a customer, a page or a mail told it to, and the runtime stands in a network with things
that trust whoever can reach them: metadata services, neighbours, its own database. So there is a perimeter: only hosts
of the public internet, at the ports of the web, written in the one usual way.

    address(url)   what a URL says, before anybody looked up its name
    admits(ip)     what a name came to: asked for every address, at the moment of connecting

Refused is whatever is not plainly public. An IPv6 address that carries an IPv4 address inside (mapped, NAT64, 6to4,
Teredo, ISATAP) is refused whatever it carries: no host of the web needs one, and each is a way round.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from claw_runtime.settings import Settings

Network = IPv4Network | IPv6Network

LONGEST_URL = 4096
PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?", re.I | re.A)
_LITERAL = re.compile(r"\[(?P<v6>[^\[\]]*)\](?::(?P<port>[0-9]{1,5}))?")
_NAMED = re.compile(r"(?P<host>[^:]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NUMBERS = re.compile(r"[0-9.]+|.*:.*")
"""IP addresses: whether they may be visited is a question of networks, not of names."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_KEPT = "!$%&'()*+,-./:;=?@[]_~"
"""Characters of a path or query that are sent as they are. Others are escaped; what is escaped already stays."""

_NOT_PUBLIC_NAMES = (
    *("localhost", "local", "localdomain", "lan", "home", "corp", "intranet", "private"),
    *("internal", "arpa", "onion", "invalid", "test", "alt"),
)
"""Endings of names that mean something else in each network. `internal` is Railway's and the metadata services'."""

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a provider's NAT; Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host, at an address that looks public
        "169.254.0.0/16",  # link-local; everybody's metadata
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocols; Oracle's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
_ISATAP = {0x00005EFE, 0x02005EFE}


class Forbidden(Exception):
    """The runtime does not go there. Its text says why, for the model, and does not repeat the address."""


@dataclass(frozen=True)
class WebAddress:
    """A URL that may be visited, if its name comes to an address that may."""

    scheme: str
    host: str
    """In ASCII, lower case; an IPv6 address without its brackets."""
    port: int
    target: str
    """Path and query."""

    @property
    def url(self) -> str:
        """Written so that there is only one way to read it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if PORTS[self.scheme] == self.port else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


class Perimeter:
    """The border around what may be visited.

    `closed` are names that are refused with all below them, such as the runtime's own. `inside` are networks that are
    open, at any port, although they are not public: for tests, whose servers listen on this machine.
    """

    def __init__(self, *, closed: Collection[str] = (), inside: Collection[str] = ()) -> None:
        self._closed = frozenset(name.lower() for name in closed)
        self._inside: tuple[Network, ...] = tuple(map(ip_network, inside))

    def address(self, url: str) -> WebAddress:
        """Read a URL. Raises Forbidden."""
        if len(url) > LONGEST_URL:
            raise Forbidden(f"This address is longer than {LONGEST_URL:,} characters.")
        if _CONTROL.search(url):
            raise Forbidden("This address holds characters that no address has.")
        found = _URL.fullmatch(url.strip(" "))
        if found is None:
            raise Forbidden("Only addresses that begin with http:// or https:// can be opened.")
        scheme = found["scheme"].lower()
        host, port = self._place(found["authority"])
        if port is None:
            port = PORTS[scheme]
        if port not in PORTS.values() and not self._inside:
            raise Forbidden("Only the ports 80 and 443 of a host can be opened.")
        target = found["target"]
        return WebAddress(scheme, host, port, quote(target if target.startswith("/") else f"/{target}", safe=_KEPT))

    def admits(self, ip: str | IPv4Address | IPv6Address) -> bool:
        """Whether there may be a connection to this address."""
        try:
            address = ip_address(ip)
        except ValueError:  # no address at all
            return False
        if any(address in network for network in self._inside):
            return True
        if isinstance(address, IPv4Address):
            return not any(address in network for network in _NOT_PUBLIC_V4)
        embeds = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
        return (
            address in _PUBLIC_V6
            and address.scope_id is None
            and not embeds
            and not any(address in network for network in _NOT_PUBLIC_V6)
        )

    def _place(self, authority: str) -> tuple[str, int | None]:
        """Host and port of what stands between the slashes."""
        if "@" in authority:
            raise Forbidden("An address with a user or password in it is not opened.")
        if found := _LITERAL.fullmatch(authority):
            host = self._literal(found["v6"], IPv6Address)
        elif found := _NAMED.fullmatch(authority):
            host = self._named(found["host"])
        else:
            raise _no_host()
        return host, None if found["port"] is None else int(found["port"])

    def _literal(self, host: str, kind: type[IPv4Address] | type[IPv6Address]) -> str:
        try:
            address = kind(host)
        except ValueError:
            raise _no_host() from None
        if not self.admits(address):
            raise Forbidden("This address is not on the public internet. Only public pages can be opened.")
        return str(address)

    def _named(self, written: str) -> str:
        host = written.lower() if written.isascii() else _in_ascii(written)
        labels = host.split(".")
        if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
            raise _no_host()
        if _NUMBER.fullmatch(labels[-1]):  # what ends in a number is an address in one notation or another
            if not written.isascii():
                raise _no_host()
            return self._literal(host, IPv4Address)
        if len(labels) == 1 or labels[-1] in _NOT_PUBLIC_NAMES:
            raise Forbidden("This name is not one of the public internet. Only public pages can be opened.")
        if any(host == name or host.endswith(f".{name}") for name in self._closed):
            raise Forbidden("This is one of the assistant's own hosts. Only pages of others can be opened.")
        return host


def own_hosts(settings: "Settings") -> frozenset[str]:
    """The names of what this runtime works with: its database, the front, the APIs that it has keys for."""
    return frozenset(host for host in map(_host, _addresses_in(settings)) if host and not _NUMBERS.fullmatch(host))


def _addresses_in(settings: "Settings") -> Iterator[str]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if "://" in text:
            yield text


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _in_ascii(host: str) -> str:
    """The name as it is looked up. Letters that only look different become what they look like first."""
    import idna

    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise _no_host() from None


def _no_host() -> Forbidden:
    return Forbidden(
        "The host of this address is not written as hosts are: a name, or an IP address in the usual form."
    )
