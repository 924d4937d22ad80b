"""Connection URLs: the right host, the new password, the pooler's address. Pure.

Neon answers with a URL for whatever branch it takes us to mean, and with the password it knows. A missing branch means
the project's default branch there, which is the template or another customer's. So the host is checked, and the
password is always the one that was just set.
"""

from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from claw_operator.external import ConnectionUrls, Rejected


def connection_urls(uri: str, endpoint_id: str, password: str, instance: str) -> ConnectionUrls:
    """The URL with that password, directly and through the pooler.

    Raises Rejected when it does not lead to the endpoint.
    """
    try:
        parts = urlsplit(uri)
        label, dot, domain = (parts.hostname or "").partition(".")
        # Compared as a whole: `ep-calm-sun-1` is also the beginning of `ep-calm-sun-12`, which is somebody else's.
        if parts.scheme in ("postgresql", "postgres") and label == endpoint_id:
            direct, pooled = label + dot + domain, f"{label}-pooler{dot}{domain}"
            return ConnectionUrls(direct=_with(parts, direct, password), pooled=_with(parts, pooled, password))
    except ValueError:
        pass  # it is no URL at all, and leads nowhere
    raise Rejected(
        f"Neon's connection URL for {instance} does not lead to the instance's own endpoint, so it is not used; "
        "look at the branch and its endpoint in Neon's console"
    )


def composed_url(host: str, role: str, database: str) -> str:
    """The URL of a database on an endpoint's host, without a password; for projects that store none."""
    return f"postgresql://{quote(role, safe='')}@{host}/{quote(database, safe='')}?sslmode=require"


def _with(parts: SplitResult, host: str, password: str) -> str:
    user = parts.username or ""  # as it stands in the URL, quoted
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}{port}"))
