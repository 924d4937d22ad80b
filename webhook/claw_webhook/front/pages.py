"""Pages for people: how one is filled in, and how it leaves.

They load nothing from anywhere, and are neither cached nor framed. The one stylesheet and, where there is one, the one
script are in the page and allowed by their hashes: whatever else gets into a page is not run.
"""

import base64
import hashlib
from typing import Any

from aiohttp import web

import claw_templates


class Pages:
    """Renders the templates of `pages/`. `contact` is an address that customers may write to.

    `outside` is where Stripe's pages are, or Google's, in the words of a Content-Security-Policy: on a domain of one's
    own, perhaps.
    """

    def __init__(self, *, contact: str, outside: str = "https:") -> None:
        self._contact = contact
        self._outside = outside
        self._style = claw_templates.text("pages/page.css")

    def render(
        self,
        status: int,
        template: str,
        *,
        script: str = "",
        leads_out: bool = False,
        referrer: str = "same-origin",
        **words: Any,
    ) -> web.Response:
        """The page as an answer. The template includes the file that `script` names as `{{ script }}`.

        With `leads_out` its forms may end there: browsers check that through every redirect.

        A page whose address is a secret has the referrer policy "no-referrer". Browsers then send its forms with the
        origin "null", which cannot be told from a stranger's; so pages that rely on cookies keep "same-origin".
        """
        code = claw_templates.text(script) if script else ""
        html = claw_templates.render(template, style=self._style, script=code, contact=self._contact, **words)
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": self._policy(code, forms=f"'self' {self._outside}" if leads_out else "'self'"),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": referrer,
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
        }
        return web.Response(status=status, text=html, content_type="text/html", charset="utf-8", headers=headers)

    def sorry(self, status: int, title: str, text: str, *, headers: dict[str, str] | None = None) -> web.Response:
        """A page that says what is wrong and what to do."""
        answer = self.render(status, "pages/sorry.html.j2", title=title, text=text)
        answer.headers.update(headers or {})
        return answer

    def _policy(self, code: str, *, forms: str) -> str:
        script = [f"script-src '{_hash(code)}'", "connect-src 'self'"] if code else []
        return "; ".join(
            [
                "default-src 'none'",
                f"style-src '{_hash(self._style)}'",
                *script,
                f"form-action {forms}",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ]
        )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
