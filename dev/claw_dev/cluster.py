"""A real Kubernetes API on loopback: etcd, kube-apiserver and kube-controller-manager, without a node.

Schemas, CEL rules, RBAC, watches, namespace deletion, garbage collection by owner and service accounts are Kubernetes'
own; only pods would wait for ever. Nothing of it survives: etcd does not sync to disk.
"""

import asyncio
import secrets
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from claw_dev.certificates import Certificates, write_secret
from claw_dev.controlplane import Binaries
from claw_dev.kubeconfig import Kubeconfig
from claw_dev.kubectl import Kubectl
from claw_dev.ports import LOOPBACK, free_ports
from claw_dev.probes import answers
from claw_dev.processes import Probe, Processes, Program

# They would wait for every open watch to end by itself. Nothing is lost when they do not get the time.
_STOP_TIMEOUT = 2.0
_SERVICE_RANGE = "10.96.0.0/16"
_ISSUER = "https://kubernetes.default.svc.cluster.local"
# What an API without nodes needs; the other forty would only wake up for nothing.
_CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)


class ControlPlane:
    """The control plane of one directory. `start`, then `start_controllers`; `processes` ends it.

    `namespace` is the one that the administrator's kubectl means when none is named.
    """

    def __init__(
        self,
        directory: Path,
        binaries: Binaries,
        processes: Processes,
        *,
        random: Random,
        namespace: str = "default",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.directory = directory.absolute()
        self.kubeconfig = self.directory / "kubeconfig"
        self.admin_token = secrets.token_urlsafe(32)
        self._controller_token = secrets.token_urlsafe(32)
        self._namespace = namespace
        self._binaries = binaries
        self._processes = processes
        self._clock = clock
        self._certificates = Certificates(self.directory / "pki")
        self._tokens = self.directory / "pki" / "tokens.csv"
        self._controller_kubeconfig = self.directory / "pki" / "controllers.kubeconfig"
        self._port, self._controller_port, self._etcd_port, self._etcd_peer_port = free_ports(4, random)

    @property
    def url(self) -> str:
        """The API server's address; the same one after a restart."""
        return f"https://{LOOPBACK}:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The authority that vouches for the API server."""
        return self._certificates.ca

    @property
    def kubectl(self) -> Kubectl:
        """For kubectl as the administrator."""
        return Kubectl(self.kubeconfig, cache=self.directory / "kubectl-cache")

    async def start(self) -> None:
        """Start etcd and the API server; returns when the API is ready. Raises StackError."""
        await asyncio.to_thread(self._write_credentials)
        # One after the other is faster: an API server that finds no etcd waits a second before it looks again.
        await self._start_etcd()
        await self.start_apiserver()

    async def start_apiserver(self) -> None:
        """Start the API server, on the same port and data as before; returns when the API is ready."""
        await self._processes.start(self._apiserver_program(), self._probe(f"{self.url}/readyz"))

    async def stop_apiserver(self) -> None:
        """End the API server; returns when its process has ended."""
        await self._processes.stop("kube-apiserver")

    async def restart_apiserver(self) -> None:
        """Restart the API server on the same port and data: what a node's upgrade does to everybody's watches."""
        await self.stop_apiserver()
        await self.start_apiserver()

    async def start_controllers(self) -> None:
        """Start the controller manager.

        After the CRDs are there, or it takes up to 30 s until garbage collection knows of them.
        """
        health = f"https://{LOOPBACK}:{self._controller_port}/healthz"
        await self._processes.start(self._controllers_program(), self._probe(health))

    async def stop(self) -> None:
        """End all three, the one that asks before the one that answers."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            await self._processes.stop(name)

    def _write_credentials(self) -> None:
        self._certificates.write(self._clock())
        ca = self.ca_file.read_bytes()
        rows = (
            f'{self.admin_token},claw-admin,claw-admin,"system:masters"',
            f"{self._controller_token},system:kube-controller-manager,system:kube-controller-manager",
        )
        write_secret(self._tokens, "\n".join(rows) + "\n")
        Kubeconfig(self.url, ca, self.admin_token, self._namespace).write(self.kubeconfig)
        Kubeconfig(self.url, ca, self._controller_token).write(self._controller_kubeconfig)

    async def _start_etcd(self) -> None:
        client, peer = f"https://{LOOPBACK}:{self._etcd_port}", f"http://{LOOPBACK}:{self._etcd_peer_port}"
        pki = self._certificates
        program = Program(
            "etcd",
            (
                str(self._binaries.etcd),
                f"--data-dir={self.directory / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                f"--cert-file={pki.server}",
                f"--key-file={pki.server_key}",
                f"--trusted-ca-file={pki.ca}",
                "--client-cert-auth",
                "--heartbeat-interval=10",
                "--election-timeout=100",  # a lone member waits so long before it elects itself
                "--unsafe-no-fsync",  # ten times faster, and a power cut may cost us a throw-away cluster
                "--log-level=warn",
            ),
            stop_timeout=_STOP_TIMEOUT,
        )
        await self._processes.start(program, self._probe(f"{client}/health"))

    def _apiserver_program(self) -> Program:
        pki = self._certificates
        flags = {
            "bind-address": LOOPBACK,
            "advertise-address": LOOPBACK,
            "secure-port": self._port,
            "tls-cert-file": pki.server,
            "tls-private-key-file": pki.server_key,
            "etcd-servers": f"https://{LOOPBACK}:{self._etcd_port}",
            "etcd-cafile": pki.ca,
            "etcd-certfile": pki.server,
            "etcd-keyfile": pki.server_key,
            "token-auth-file": self._tokens,
            "authorization-mode": "RBAC",
            "service-account-issuer": _ISSUER,
            "service-account-key-file": pki.service_account_key,
            "service-account-signing-key-file": pki.service_account_key,
            "service-cluster-ip-range": _SERVICE_RANGE,
            "endpoint-reconciler-type": "none",  # no loopback address can be an endpoint of a Service
            "anonymous-auth": "false",
            "profiling": "false",
        }
        argv = (str(self._binaries.apiserver), *(f"--{name}={value}" for name, value in flags.items()))
        return Program("kube-apiserver", argv, ready_timeout=60, stop_timeout=_STOP_TIMEOUT)

    def _controllers_program(self) -> Program:
        pki = self._certificates
        flags = {
            "kubeconfig": self._controller_kubeconfig,
            "authentication-kubeconfig": self._controller_kubeconfig,
            "authorization-kubeconfig": self._controller_kubeconfig,
            "bind-address": LOOPBACK,
            "secure-port": self._controller_port,
            "tls-cert-file": pki.server,
            "tls-private-key-file": pki.server_key,
            "controllers": ",".join(_CONTROLLERS),
            "use-service-account-credentials": "true",
            "service-account-private-key-file": pki.service_account_key,
            "root-ca-file": pki.ca,
            "leader-elect": "false",
            "profiling": "false",
        }
        argv = (str(self._binaries.controller_manager), *(f"--{name}={value}" for name, value in flags.items()))
        return Program("kube-controller-manager", argv)

    def _probe(self, url: str) -> Probe:
        """Whether it answers to the admin's token; etcd wants a client certificate instead."""
        tls = ssl.create_default_context(cafile=self._certificates.ca)
        tls.load_cert_chain(self._certificates.server, self._certificates.server_key)
        return answers(url, tls=tls, headers={"Authorization": f"Bearer {self.admin_token}"})
