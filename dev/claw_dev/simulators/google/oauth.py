"""The consent page, which consents by itself, and the endpoints for tokens, keys and the person's address."""

from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web

from claw_dev.simulators.google.problems import OAuthProblem
from claw_dev.simulators.google.world import CODE_LIFE, TOKEN_LIFE, Grant, World

_SUBJECT = "110248495921238986420"


class OAuthApi:
    """Answers the browser, and the application's server."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """As on accounts.google.com, oauth2.googleapis.com, www.googleapis.com and openidconnect.googleapis.com."""
        return [
            web.get("/o/oauth2/v2/auth", self._consent_page),
            web.post("/token", self._token),
            web.post("/revoke", self._revoke),
            web.get("/oauth2/v3/certs", self._certs),
            web.get("/v1/userinfo", self._userinfo),
        ]

    async def _consent_page(self, request: web.Request) -> web.Response:
        asked, world = request.query, self._world
        redirect_uri = asked.get("redirect_uri", "")
        if asked.get("client_id") != world.client.id:
            return _page(401, "invalid_client")
        if world.client.redirect_uris is not None and redirect_uri not in world.client.redirect_uris:
            return _page(400, "redirect_uri_mismatch")
        if asked.get("response_type") != "code" or not asked.get("scope"):
            return _page(400, "invalid_request")
        challenge = asked.get("code_challenge")
        if challenge is not None and asked.get("code_challenge_method") != "S256":
            return _page(400, "invalid_request")
        state = {"state": asked["state"]} if "state" in asked else {}
        if world.consent.deny:
            return _redirect(redirect_uri, state | {"error": "access_denied"})
        scopes = frozenset(asked["scope"].split()) - world.consent.withhold
        code = world.allow(
            Grant(
                redirect_uri=redirect_uri,
                scopes=scopes,
                challenge=challenge,
                offline=asked.get("access_type") == "offline",
                nonce=asked.get("nonce"),
                expires_at=world.clock() + CODE_LIFE,
            )
        )
        told = {"code": code, "scope": " ".join(sorted(scopes)), "authuser": "0", "prompt": "consent"}
        return _redirect(redirect_uri, state | told)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            return web.json_response(self._tokens({name: str(value) for name, value in form.items()}))
        except OAuthProblem as problem:
            body = {"error": problem.error, "error_description": problem.description}
            return web.json_response(body, status=problem.status)

    def _tokens(self, form: Mapping[str, str]) -> dict[str, object]:
        world = self._world
        if form.get("client_id") != world.client.id:
            raise OAuthProblem("invalid_client", "The OAuth client was not found.", 401)
        if form.get("client_secret") != world.client.secret:
            raise OAuthProblem("invalid_client", "Unauthorized", 401)
        match form.get("grant_type"):
            case "authorization_code":
                access, refresh, grant = world.exchange(
                    form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier")
                )
                answer = _bearer(access, grant.scopes)
                if refresh is not None:
                    answer["refresh_token"] = refresh
                if "openid" in grant.scopes:
                    answer["id_token"] = self._identity(grant)
                return answer
            case "refresh_token":
                access, scopes = world.refresh(form.get("refresh_token", ""))
                return _bearer(access, scopes)
        raise OAuthProblem("unsupported_grant_type", "Invalid grant_type")

    def _identity(self, grant: Grant) -> str:
        claims: dict[str, object] = {"aud": self._world.client.id, "azp": self._world.client.id, "sub": _SUBJECT}
        if "email" in grant.scopes:
            claims |= {"email": self._world.address, "email_verified": True}
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        return self._world.signer.sign(claims)

    async def _revoke(self, request: web.Request) -> web.Response:
        token = str((await request.post()).get("token") or request.query.get("token", ""))
        if self._world.revoke(token):
            return web.json_response({})
        return web.json_response(
            {"error": "invalid_token", "error_description": "Token expired or revoked"}, status=400
        )

    async def _certs(self, _: web.Request) -> web.Response:
        return web.json_response(self._world.signer.published(), headers={"Cache-Control": "public, max-age=21600"})

    async def _userinfo(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        held = self._world.bearer(token)
        if held is None or "email" not in held.scopes:
            return web.json_response(
                {"error": "invalid_request", "error_description": "Invalid Credentials"}, status=401
            )
        return web.json_response({"sub": _SUBJECT, "email": self._world.address, "email_verified": True})


def _bearer(access: str, scopes: frozenset[str]) -> dict[str, object]:
    return {
        "access_token": access,
        "expires_in": int(TOKEN_LIFE.total_seconds()) - 1,
        "scope": " ".join(sorted(scopes)),
        "token_type": "Bearer",
    }


def _redirect(uri: str, members: Mapping[str, str]) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{uri}{'&' if '?' in uri else '?'}{urlencode(members)}"})


def _page(status: int, error: str) -> web.Response:
    return web.Response(
        status=status, text=f"<html><body>Error {status}: {error}</body></html>", content_type="text/html"
    )
