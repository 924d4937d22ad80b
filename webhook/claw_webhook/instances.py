"""The only file that talks to the Kubernetes API: applies, deletes and watches ClawInstances, reads plans and Secrets.

It uses `kubernetes.aio` for what is hard (kubeconfig, service-account tokens, TLS) and its lower layer for the calls:
the generated CoreV1Api would cost this process 130 MB of memory and two seconds of start for the one Secret it reads.
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config
from pydantic import ValidationError

from claw_crds import naming
from claw_crds.v1alpha1 import API_VERSION, ClawInstance, ClawInstanceSpec, ClawPlan
from claw_webhook.backoff import Backoff

_APIS = f"/apis/{API_VERSION}"
_PATIENCE = aiohttp.ClientTimeout(total=10, sock_connect=3)
_WATCH_SECONDS = 300
# Bookmarks come about once a minute. A connection that is silent for two has died without a word.
_WATCH_PATIENCE = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=120)
_PAGE = "250"
_RESUME = Backoff(first=0.2, longest=30)

# The charset makes the client send the body as it is. By itself it would write an emoji as two escapes, which is right
# in JSON and an error in YAML, and an apply is read as YAML: a customer with an emoji in the name could not be served.
_APPLY = "application/apply-patch+yaml; charset=utf-8"

logger = logging.getLogger(__name__)


class ClusterUnavailable(Exception):
    """The API server did not do as asked, and may do so later. Says nothing about whether it was carried out."""


class ClusterRejected(Exception):
    """The API server refuses this object: nothing changes until the object does."""


class _NotFound(ClusterUnavailable):
    """The namespace is not there, or the object, or the CRD."""


class _Expired(Exception):
    """The API server no longer knows what happened since that resource version."""


@dataclass(frozen=True)
class Listed:
    """All objects there are. What is not among them is gone."""

    objects: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Changed:
    """An object is there, new or different."""

    object: dict[str, Any]


@dataclass(frozen=True)
class Gone:
    """An object was deleted."""

    name: str


Change = Listed | Changed | Gone


@asynccontextmanager
async def connect(kubeconfig: Path | None) -> AsyncIterator[ApiClient]:
    """A client of the cluster that the kubeconfig names; without one, of the cluster that this process runs in."""
    configuration = Configuration()
    if kubeconfig is None:
        load_incluster_config(client_configuration=configuration)
    else:
        await load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    async with ApiClient(configuration) as api:
        yield api


class Instances:
    """The ClawInstances of one namespace, and what belongs to them. `random` gives floats in [0, 1)."""

    def __init__(
        self,
        api: ApiClient,
        *,
        namespace: str,
        random: Callable[[], float],
        restarted: Callable[[str, str], None] = lambda plural, cause: None,
    ) -> None:
        self._api = api
        self._random = random
        self._restarted = restarted
        self._instances = f"{_APIS}/namespaces/{namespace}/{ClawInstance.PLURAL}"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._namespace = namespace

    async def apply(self, name: str, *, subscription: str, spec: ClawInstanceSpec) -> None:
        """Wish for it, as billed to that subscription. Only what `spec` sets becomes ours; a person's choices stay.

        Raises ClusterRejected when the schema refuses it, ClusterUnavailable for everything else.
        """
        manifest = {
            "apiVersion": API_VERSION,
            "kind": ClawInstance.KIND,
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": {naming.MANAGED_BY: naming.WEBHOOK_FIELD_MANAGER},
                "annotations": {naming.SUBSCRIPTION: subscription},
            },
            "spec": spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True),
        }
        # Forced: what billing says of plan and state outranks whoever wrote there before.
        await self._call(
            "PATCH",
            f"{self._instances}/{name}",
            query={"fieldManager": naming.WEBHOOK_FIELD_MANAGER, "force": "true"},
            body=json.dumps(manifest, ensure_ascii=False),
            content_type=_APPLY,
        )

    async def delete(self, name: str, *, uid: str, version: str) -> None:
        """Delete it as it was when somebody looked; gone already is success. The operator's finalizer does the rest.

        Raises ClusterUnavailable also when it has changed since: look again.
        """
        options = {"preconditions": {"uid": uid, "resourceVersion": version}}
        try:
            await self._call("DELETE", f"{self._instances}/{name}", body=options, content_type="application/json")
        except _NotFound:
            return

    async def get(self, name: str) -> dict[str, Any] | None:
        """The ClawInstance as it is now; None when there is none. Raises ClusterUnavailable when nobody can know."""
        try:
            body: dict[str, Any] = await self._call("GET", f"{self._instances}/{name}")
        except _NotFound:
            return None
        return body

    async def plans(self) -> list[ClawPlan]:
        """The plans on sale. One that cannot be read is left out, so that its price is reported as unknown."""
        listed = await self._call("GET", f"{_APIS}/{ClawPlan.PLURAL}")
        plans = []
        for body in listed["items"]:
            try:
                plans.append(ClawPlan.model_validate(body))
            except ValidationError as error:
                logger.warning("ClawPlan %s cannot be read: %s", body["metadata"]["name"], error)
        return plans

    async def api_key(self, secret_name: str) -> str | None:
        """The instance's API key as it is now; None when the Secret is gone."""
        return await self._secret(secret_name, naming.SECRET_API_KEY)

    async def configuration_token(self, secret_name: str) -> str | None:
        """What the instance's runtime proves itself with; None when the Secret is gone, or has none yet."""
        return await self._secret(secret_name, naming.SECRET_CONFIGURATION_TOKEN)

    async def database_url(self, secret_name: str) -> str | None:
        """Where the instance's own database is, with its password; None when the Secret is gone."""
        return await self._secret(secret_name, naming.SECRET_DATABASE_URL)

    async def _secret(self, name: str, key: str) -> str | None:
        try:
            secret = await self._call("GET", f"{self._secrets}/{name}")
        except _NotFound:
            return None
        encoded = (secret.get("data") or {}).get(key)
        return base64.b64decode(encoded).decode() if encoded else None

    async def pages(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        """All ClawInstances as of one moment, in pages. Raises ClusterUnavailable: then it was not all of them."""
        token = ""
        while True:
            query = {"limit": _PAGE} | ({"continue": token} if token else {})
            try:
                listed = await self._call("GET", self._instances, query=query)
            except _Expired as error:
                raise ClusterUnavailable("the list of ClawInstances took too long to read") from error
            yield listed["items"]
            token = listed["metadata"].get("continue", "")
            if not token:
                return

    def watch_instances(self) -> AsyncGenerator[Change, None]:
        """Everything that happens to the ClawInstances of the namespace, for ever; first what there is."""
        return self._watch(self._instances, ClawInstance.PLURAL)

    def watch_plans(self) -> AsyncGenerator[Change, None]:
        """Everything that happens to the ClawPlans, for ever; first what there is."""
        return self._watch(f"{_APIS}/{ClawPlan.PLURAL}", ClawPlan.PLURAL)

    async def _watch(self, path: str, plural: str) -> AsyncGenerator[Change, None]:
        """List once, then follow; resume where it broke off, and list anew only when that is too long ago."""
        version, failures = "", 0
        while True:
            try:
                if not version:
                    listed = await self._call("GET", path)
                    version = listed["metadata"]["resourceVersion"]
                    yield Listed(tuple(listed["items"]))
                async with aclosing(self._stream(path, version)) as events:
                    async for kind, body in events:
                        if failures:
                            logger.info("watch of %s goes on", plural)
                        version, failures = body["metadata"]["resourceVersion"], 0
                        if kind == "DELETED":
                            yield Gone(body["metadata"]["name"])
                        elif kind != "BOOKMARK":
                            yield Changed(body)
                cause = "ended"
            except _Expired:
                cause, version = "expired", ""
            except ClusterUnavailable as error:
                cause, failures = "failed", failures + 1
                if failures == 1:
                    logger.warning("watch of %s is interrupted: %s", plural, error)
            self._restarted(plural, cause)
            await asyncio.sleep(_RESUME.delay(max(failures, 1), self._random))

    async def _stream(self, path: str, version: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """The events after a resource version, until the server ends the stream."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        response = await self._send("GET", path, query=query, patience=_WATCH_PATIENCE)
        try:
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _failure(event["object"].get("code", 500), event["object"].get("message", ""))
                yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ClusterUnavailable(
                f"the connection to the API server broke: {error or type(error).__name__}"
            ) from error
        finally:
            response.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: str | dict[str, Any] | None = None,
        content_type: str = "",
    ) -> Any:
        response = await self._send(method, path, query=query, body=body, content_type=content_type, patience=_PATIENCE)
        try:
            return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ClusterUnavailable(f"the API server's answer broke off: {error or type(error).__name__}") from error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        patience: aiohttp.ClientTimeout,
        query: dict[str, str] | None = None,
        body: str | dict[str, Any] | None = None,
        content_type: str = "",
    ) -> aiohttp.ClientResponse:
        """The answer, once its status is known to be good."""
        try:
            request = await self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json"} | ({"Content-Type": content_type} if content_type else {}),
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*request, _request_timeout=patience)
            response: aiohttp.ClientResponse = answer.response
            if response.status < 300:
                return response
            text = await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterUnavailable(f"the API server cannot be reached: {error or type(error).__name__}") from error
        raise _failure(response.status, _message(text))


def _failure(status: int, message: str) -> Exception:
    match status:
        case 404:
            return _NotFound(message)
        case 410:
            return _Expired(message)
        case 400 | 422:
            return ClusterRejected(message)
        case 401 | 403:
            return ClusterUnavailable(f"the API server does not let the webhook service do this ({status}): {message}")
        case _:
            return ClusterUnavailable(f"the API server answered {status}: {message}")


def _message(text: str) -> str:
    """What the API server said, from its Status object, as far as a log line should carry it."""
    try:
        return str(json.loads(text)["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return text[:200]
