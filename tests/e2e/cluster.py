"""A new namespace on a real cluster, managed with kubectl."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimir.dev.paths import ROOT

MANIFESTS = ROOT / "deploy" / "k8s" / "development"
IMAGE = re.compile(r"\bmimir-aip/(orchestrator|frontend|worker):latest\b")
PREFIX = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
OLDEST_MINOR = 29
SERVING = (
    "statefulset/postgres",
    "statefulset/redis",
    "deployment/orchestrator",
    "deployment/frontend",
)
# Every kind in the manifests, and every kind that a controller creates for them.
KINDS = (
    "jobs,pods,deployments,replicasets,statefulsets,controllerrevisions,services,endpointslices,configmaps,secrets,persistentvolumeclaims,"
    "serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets"
)
# Created by the bootstrap Job, not by `kubectl apply`. An uninstallation keeps them, because a new
# installation needs them to decrypt data.
SECRETS = {
    f"secret/{name}"
    for name in (
        "db-secret",
        "redis-secret",
        "orchestrator-keys",
        "frontend-keys",
        "trust-keys",
        "mimir-admin",
    )
}


class Unusable(Exception):
    """There is no usable cluster; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Images:
    """Location of the three images.

    They are `<prefix>/worker:<tag>` and so on; they exist on the nodes or are pulled without a
    secret.
    """

    prefix: str
    tag: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Images":
        """Read IMAGE_PREFIX and TAG. Raises: Unusable."""
        prefix = (environment.get("IMAGE_PREFIX") or "mimir-aip").rstrip("/")
        tag = environment.get("TAG") or "latest"
        if not PREFIX.fullmatch(prefix):
            raise Unusable(
                f"IMAGE_PREFIX is {prefix!r}: write it as registry.example:5000/mimir-aip, "
                "without a scheme and without an image's name."
            )
        if not TAG.fullmatch(tag):
            raise Unusable(
                f"TAG is {tag!r}: a tag has letters, digits, '.', '_' and '-', such as 1.2.0."
            )
        return cls(prefix, tag)

    def named_in(self, manifest: str) -> str:
        """Return the manifest with these images instead of `mimir-aip/*:latest`."""
        return IMAGE.sub(lambda found: f"{self.prefix}/{found[1]}:{self.tag}", manifest)


class Namespace:
    """One namespace from its creation to its removal."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Check the cluster without creating anything. Raises: Unusable."""
        named = environment.get("KUBECONFIG", "")
        if not any(Path(each).is_file() for each in named.split(os.pathsep) if each):
            found = f"KUBECONFIG names no file ({named})" if named else "KUBECONFIG is not set"
            raise Unusable(
                f"{found}: set it to a kubeconfig of the cluster to try Mimir on. A namespace is "
                "made there, and removed."
            )
        if shutil.which("kubectl", path=environment.get("PATH")) is None:
            raise Unusable("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/")
        self._images = Images.from_environment(environment)
        self._environment = dict(environment)
        self.name = f"mimir-e2e-{uuid.uuid4().hex[:6]}"
        self._look()

    def _look(self) -> None:
        """Check the connection, version and permissions of the cluster. Raises: Unusable."""
        try:
            version = json.loads(
                self.kubectl("version", "-o", "json", "--request-timeout=20s", in_it=False)
            )["serverVersion"]
        except (AssertionError, KeyError, ValueError, subprocess.TimeoutExpired) as error:
            raise Unusable(
                "The cluster does not answer: `kubectl version` has to, with the same "
                f"KUBECONFIG. {error}"
            ) from error
        minor = int(re.sub(r"\D.*", "", version["minor"]) or 0)
        if (int(version["major"]), minor) < (1, OLDEST_MINOR):
            raise Unusable(
                f"The cluster runs {version['gitVersion']}: Mimir needs Kubernetes "
                f"1.{OLDEST_MINOR} or newer."
            )
        try:
            # `no` sets a failing exit code
            self.kubectl(
                "auth", "can-i", "create", "namespaces", "--request-timeout=20s", in_it=False
            )
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise Unusable(
                "This user cannot create namespaces: use an administrator's kubeconfig, or a "
                f"cluster of your own (k3s, Rancher Desktop). {error}"
            ) from error

    def kubectl(
        self, *argv: str, given: str | None = None, seconds: float = 120.0, in_it: bool = True
    ) -> str:
        """Return kubectl's output. Raises: AssertionError with its error, TimeoutExpired."""
        where = ["-n", self.name] if in_it else []
        done = subprocess.run(
            ["kubectl", *where, *argv],
            input=given or "",
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=self._environment,
        )
        assert done.returncode == 0, (
            f"kubectl {' '.join(argv)}: {(done.stderr or done.stdout).strip()[-2000:]}"
        )
        return done.stdout

    def make(self) -> None:
        """Create the namespace and all objects of the shipped manifests in it."""
        self.kubectl("create", "namespace", self.name, in_it=False)
        self.apply()

    def _manifests(self) -> list[str]:
        """Return the shipped manifests with the names of our images."""
        return [
            self._images.named_in(path.read_text()) for path in sorted(MANIFESTS.glob("*.yaml"))
        ]

    def apply(self) -> None:
        """Run `kubectl apply` as in the README."""
        for manifest in self._manifests():
            self.kubectl("apply", "-f", "-", given=manifest)

    def delete(self) -> None:
        """Run `kubectl delete` for everything that was applied."""
        for manifest in self._manifests():
            self.kubectl(
                "delete",
                "--ignore-not-found",
                "--timeout=300s",
                "-f",
                "-",
                given=manifest,
                seconds=330,
            )

    def ours(self, kinds: str = KINDS, selector: str = "app=mimir-aip") -> set[str]:
        """Return the objects with our label, as `job.batch/name`."""
        return set(
            self.kubectl("get", kinds, "-l", selector, "-o", "name", "--ignore-not-found").split()
        )

    def pods(self) -> dict[str, str]:
        """Return the uid of each serving pod, by name."""
        template = '{range .items[*]}{.metadata.name}{" "}{.metadata.uid}{"\\n"}{end}'
        listed = self.kubectl(
            "get",
            "pods",
            "-l",
            "app=mimir-aip,component in (orchestrator,frontend,postgres,redis)",
            "-o",
            f"jsonpath={template}",
        )
        return dict(line.split() for line in listed.splitlines())  # type: ignore[misc]

    def wait_ready(self, seconds: float = 900.0) -> None:
        """Wait until all components are ready. Raises: AssertionError."""
        for what in SERVING:
            self.kubectl(
                "rollout", "status", what, f"--timeout={seconds:.0f}s", seconds=seconds + 30
            )

    def secret(self, name: str) -> dict[str, str]:
        """Wait for a Secret and return its values."""
        end = time.monotonic() + 300
        while True:
            try:
                data = json.loads(self.kubectl("get", "secret", name, "-o", "json"))["data"]
                return {key: b64decode(value).decode() for key, value in data.items()}
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)

    def delete_pods(self, selector: str) -> None:
        """Delete pods and wait until they are gone; their owners may create new ones."""
        self.kubectl(
            "delete",
            "pods",
            "-l",
            f"app=mimir-aip,{selector}",
            "--wait=true",
            "--timeout=300s",
            seconds=330,
        )

    def evict_pods(self, selector: str) -> None:
        """Evict pods with the Eviction API, as `kubectl drain` does."""
        for named in self.kubectl(
            "get", "pods", "-l", f"app=mimir-aip,{selector}", "-o", "name"
        ).split():
            name = named.removeprefix("pod/")
            eviction = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": name, "namespace": self.name},
            }
            self.kubectl(
                "create",
                "--raw",
                f"/api/v1/namespaces/{self.name}/pods/{name}/eviction",
                "-f",
                "-",
                given=json.dumps(eviction),
            )

    def show(self) -> None:
        """Print the state of the cluster to stderr."""
        commands: list[list[str]] = [
            ["get", "pods,jobs,pvc", "-o", "wide"],
            ["get", "events", "--sort-by=.lastTimestamp"],
        ]
        commands += [
            ["logs", what, "--all-containers", "--prefix", "--tail=40"] for what in SERVING
        ]
        for command in commands:
            try:
                shown: Any = self.kubectl(*command, "--request-timeout=30s")
            except (AssertionError, subprocess.TimeoutExpired) as error:
                shown = error
            print(f"--- kubectl {' '.join(command)}\n{shown}", file=sys.stderr, flush=True)

    def remove(self) -> bool:
        """Delete the namespace and wait until it is gone.

        Return whether it is gone; otherwise print how to delete it manually.
        """
        try:
            self.kubectl(
                "delete",
                "namespace",
                self.name,
                "--ignore-not-found",
                "--timeout=300s",
                in_it=False,
                seconds=330,
            )
        except (AssertionError, subprocess.TimeoutExpired) as error:
            print(
                f"The namespace is still there: kubectl delete namespace {self.name}\n{error}",
                file=sys.stderr,
            )
            return False
        return True
