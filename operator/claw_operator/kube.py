"""The only file that talks to the Kubernetes API: finalizer, status, Secret, Events.

Requests go through the lower layer of `kubernetes.aio`: its typed calls cost more than twice the CPU of the same
request and add nothing here, since the objects are our own models. Every write returns the object as the API server
now has it, and every write of an instance tests its resourceVersion: a pass that worked on an old view must not win
against what happened since.
"""

import base64
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from yaml import YAMLError

from claw_crds import naming
from claw_crds.v1alpha1 import API_VERSION, GROUP, VERSION, ClawInstance, ClawInstanceStatus, ClawPlan, ObjectMeta
from claw_operator.events import News
from claw_operator.external import NameTaken

log = logging.getLogger(__name__)

Body = dict[str, Any]

_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_AS_US = f"?fieldManager={naming.OPERATOR_FIELD_MANAGER}"


class KubeError(Exception):
    """The API server did not do as asked."""


class Unavailable(KubeError):
    """It did not answer, or told us to come back."""


class Refused(KubeError):
    """It understood and refuses: a right, a quota or an admission webhook is in the way."""


class NotFound(KubeError):
    """There is no such object."""


class Conflict(KubeError):
    """The object has changed since it was read. Read it again and decide again; this is no failure."""


@dataclass(frozen=True)
class StoredSecret:
    """A Secret of ours as it was read."""

    values: Mapping[str, str] = field(repr=False)
    version: str
    """Its resourceVersion: who writes it names the one that was read."""


@dataclass(frozen=True)
class Access:
    """How to reach the API server, for whoever opens a connection of its own."""

    server: str
    ca_path: str | None
    token: str | None = field(repr=False)
    certificate_path: str | None
    private_key_path: str | None


class Kube:
    """A session with the API server."""

    def __init__(self, client: ApiClient, *, timeout: float = 15.0) -> None:
        self._client = client
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=5.0)
        self._away = False

    @classmethod
    @asynccontextmanager
    async def connect(cls, kubeconfig: Path | None) -> AsyncIterator["Kube"]:
        """A session by the named kubeconfig, or by the pod's service account when there is none.

        Raises Refused when what is there cannot be used.
        """
        configuration = Configuration()
        try:
            if kubeconfig is None:
                config.load_incluster_config(client_configuration=configuration)
            else:
                await config.load_kube_config(str(kubeconfig), client_configuration=configuration, persist_config=False)
            client = ApiClient(configuration)
        except (config.ConfigException, YAMLError, OSError, ValueError, TypeError, AttributeError) as error:
            source = "the pod's service account" if kubeconfig is None else f"KUBECONFIG={kubeconfig}"
            raise Refused(f"{source} cannot be used: {' '.join(str(error).split())[:300]}") from error
        try:
            yield cls(client)
        finally:
            await client.close()

    async def access(self) -> Access:
        """What this session uses, with the token as it is now."""
        configuration = self._client.configuration
        token = await self._token()
        return Access(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            token=token.split(" ", 1)[-1] if token else None,  # "Bearer …" of a kubeconfig, "bearer …" of a pod
            certificate_path=configuration.cert_file,
            private_key_path=configuration.key_file,
        )

    async def get_instance(self, namespace: str, name: str) -> Body:
        """The instance as the API server has it now. Raises NotFound."""
        return await self._call("GET", _instance_path(namespace, name))

    async def get_plan(self, name: str) -> ClawPlan:
        """The plan. Raises NotFound."""
        return ClawPlan.model_validate(await self._call("GET", f"/apis/{GROUP}/{VERSION}/{ClawPlan.PLURAL}/{name}"))

    async def list_instances(self, namespace: str, *, page_size: int = 500) -> list[Body]:
        """All instances of the namespace, complete, or KubeError."""
        found: list[Body] = []
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{ClawInstance.PLURAL}?limit={page_size}"
        page = await self._call("GET", path)
        while True:
            found += page.get("items") or []
            if not (token := page["metadata"].get("continue")):
                return found
            page = await self._call("GET", f"{path}&continue={quote(token, safe='')}")

    async def namespace_uid(self, namespace: str) -> str:
        """What tells this namespace from one of the same name in another cluster. Raises NotFound."""
        document = await self._call("GET", f"/api/v1/namespaces/{namespace}")
        return str(document["metadata"]["uid"])

    async def add_finalizer(self, body: Body) -> Body:
        """Put our finalizer on the object; nothing external may be created before this has returned."""
        finalizers = [*body["metadata"].get("finalizers", []), naming.FINALIZER]
        return await self._patch_finalizers(body, finalizers)

    async def remove_finalizer(self, body: Body) -> Body:
        """Let the object go."""
        finalizers = [f for f in body["metadata"].get("finalizers", []) if f != naming.FINALIZER]
        return await self._patch_finalizers(body, finalizers)

    async def write_status(self, body: Body, status: ClawInstanceStatus) -> Body:
        """Replace the whole status. Raises Conflict when the object has changed since `body`."""
        patch = [_test(body), {"op": "add", "path": "/status", "value": status.wire()}]
        return await self._call("PATCH", _path_of(body) + "/status" + _AS_US, patch, content_type=_JSON_PATCH)

    async def read_secret(self, namespace: str, name: str, owner_uid: str) -> StoredSecret | None:
        """The Secret; None when there is none.

        Raises NameTaken when a Secret of that name belongs to somebody else: it is neither read nor overwritten.
        """
        try:
            secret = await self._call("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except NotFound:
            return None
        owners = secret["metadata"].get("ownerReferences", [])
        if not any(owner.get("uid") == owner_uid for owner in owners):
            raise NameTaken(f"Secret {name} exists and does not belong to this instance; delete or rename it.")
        return StoredSecret(_decoded(secret.get("data") or {}), secret["metadata"]["resourceVersion"])

    async def write_secret(
        self, instance: ClawInstance, name: str, values: Mapping[str, str], *, version: str | None = None
    ) -> str:
        """Write the instance's Secret, owned by it, with exactly these values, and return its new version.

        `version` is that of the Secret which is replaced; None makes a new one. Raises Conflict when the Secret was
        written since or exists already, and NameTaken when it is somebody else's.
        """
        meta = instance.metadata
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": name,
                "namespace": meta.namespace,
                "labels": {
                    naming.MANAGED_BY: naming.OPERATOR_FIELD_MANAGER,
                    naming.INSTANCE: naming.label_value(meta.name),
                    naming.INSTANCE_UID: meta.uid,
                },
                "ownerReferences": [
                    {
                        "apiVersion": API_VERSION,
                        "kind": ClawInstance.KIND,
                        "name": meta.name,
                        "uid": meta.uid,
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "stringData": dict(values),
        }
        path = f"/api/v1/namespaces/{meta.namespace}/secrets"
        if version is not None:
            # `data: null` first, so that a value which is no longer wished does not stay behind.
            patch = {"metadata": {"resourceVersion": version}, "data": None, "stringData": dict(values)}
            written = await self._call("PATCH", f"{path}/{name}{_AS_US}", patch, content_type=_MERGE_PATCH)
            return str(written["metadata"]["resourceVersion"])
        try:
            written = await self._call("POST", path + _AS_US, manifest)
        except Conflict:
            await self.read_secret(meta.namespace, name, meta.uid)  # raises when it is somebody else's
            raise
        return str(written["metadata"]["resourceVersion"])

    async def delete_secret(self, namespace: str, name: str, owner_uid: str) -> None:
        """Delete the instance's Secret. Gone already is success; somebody else's is left alone."""
        try:
            if await self.read_secret(namespace, name, owner_uid) is not None:
                await self._call("DELETE", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except (NotFound, NameTaken):
            return

    async def emit_event(self, meta: ObjectMeta, news: News, now: datetime) -> None:
        """Tell the instance's owner that something changed. One that cannot be written is logged and forgotten."""
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta.name}-", "namespace": meta.namespace},
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "claw.dev/operator",
            "reportingInstance": naming.OPERATOR_FIELD_MANAGER,
            "action": news.action,
            "reason": news.reason,
            "type": news.kind,
            "note": news.message[:1024],
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": ClawInstance.KIND,
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
            },
        }
        try:
            await self._call("POST", f"/apis/events.k8s.io/v1/namespaces/{meta.namespace}/events", event)
        except KubeError as error:
            log.warning("Event %s was not recorded: %s", news.reason, error)

    async def _patch_finalizers(self, body: Body, finalizers: list[str]) -> Body:
        patch = [_test(body), {"op": "add", "path": "/metadata/finalizers", "value": finalizers}]
        return await self._call("PATCH", _path_of(body) + _AS_US, patch, content_type=_JSON_PATCH)

    async def _call(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Body:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            if (token := await self._token()) is not None:
                headers["Authorization"] = token
            response = await self._client.rest_client.request(
                method,
                self._client.configuration.host + path,
                headers=headers,
                body=body,
                _request_timeout=self._timeout,
            )
            raw = await response.read()
        except (aiohttp.ClientError, config.ConfigException, TimeoutError, OSError) as error:
            self._note_away(error)
            raise Unavailable(f"the Kubernetes API does not answer: {type(error).__name__}") from error
        document = _document(raw)
        if response.status >= 500 or response.status == 429:
            self._note_away(response.status)
            raise Unavailable(f"the Kubernetes API answered {response.status}: {_message(document, raw)}")
        self._note_back()
        if response.status >= 300:
            raise _refusal(method, path, response.status, document, raw)
        if not document:
            raise Unavailable("the Kubernetes API answered with something else than a JSON object")
        return document

    async def _token(self) -> str | None:
        # Asked anew for every request: in a cluster, the token in the pod's file is replaced every hour.
        token: str | None = await self._client.configuration.get_api_key_with_prefix("BearerToken", "authorization")
        return token

    def _note_away(self, why: object) -> None:
        if not self._away:
            self._away = True
            log.error("the Kubernetes API is away", extra={"error": str(why) or type(why).__name__})

    def _note_back(self) -> None:
        if self._away:
            self._away = False
            log.info("the Kubernetes API is back")


def _document(raw: bytes) -> Body:
    """What was answered; empty when it is no JSON object but some proxy's page."""
    try:
        document = json.loads(raw)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _message(document: Body, raw: bytes) -> str:
    return str(document.get("message") or raw.decode(errors="replace"))[:500]


def _refusal(method: str, path: str, status: int, document: Body, raw: bytes) -> KubeError:
    message = _message(document, raw)
    # Of a path that nobody knows, without the CRDs or behind a proxy, a bare 404 says nothing about the object.
    if status == 404 and document.get("reason") == "NotFound":
        return NotFound(message)
    # A failed `test` of a JSON patch is answered with 422, not 409.
    if status == 409 or (status == 422 and "the server rejected our request" in message):
        return Conflict(message)
    return Refused(f"{method} {path.partition('?')[0]}: {status} {message}")


def _test(body: Body) -> Body:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": body["metadata"]["resourceVersion"]}


def _instance_path(namespace: str, name: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{ClawInstance.PLURAL}/{name}"


def _path_of(body: Body) -> str:
    return _instance_path(body["metadata"]["namespace"], body["metadata"]["name"])


def _decoded(data: Mapping[str, str]) -> dict[str, str]:
    # Ours is all text. What a person put in instead is not our credentials, and is found to be none of them.
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
