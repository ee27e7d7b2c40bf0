"""A namespace of its own on a real cluster, by kubectl."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from base64 import b64decode
from pathlib import Path
from typing import Any

from mimir.dev.places import ROOT

MANIFESTS = ROOT / "deploy" / "k8s" / "development"
IMAGE = re.compile(r"\bmimir-aip/(orchestrator|frontend|worker):latest\b")


class Unusable(Exception):
    """There is no cluster to try it on; the message says what to set."""


class Namespace:
    """One namespace from its making to its end. `prefix` and `tag`: of the three images."""

    def __init__(self, *, prefix: str = "mimir-aip", tag: str = "latest") -> None:
        if not os.environ.get("KUBECONFIG") or not Path(os.environ["KUBECONFIG"].split(os.pathsep)[0]).exists():
            raise Unusable("KUBECONFIG names no file: set it to a kubeconfig of the cluster to try Mimir on. A namespace is made there, and removed.")
        if shutil.which("kubectl") is None:
            raise Unusable("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/")
        self.name = f"mimir-e2e-{uuid.uuid4().hex[:6]}"
        self._prefix, self._tag = prefix, tag

    def kubectl(self, *argv: str, given: str | None = None, seconds: float = 120.0, in_it: bool = True) -> str:
        """What kubectl prints. Raises: AssertionError with its complaint."""
        where = ["-n", self.name] if in_it else []
        done = subprocess.run(["kubectl", *where, *argv], input=given, capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(argv)}: {done.stderr.strip()[-2000:]}"
        return done.stdout

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """The objects of a kind."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-o", "json", *(["-l", selector] if selector else [])))["items"]
        return found

    def make(self) -> None:
        """The namespace, and all of the shipped manifests in it."""
        self.kubectl("create", "namespace", self.name, in_it=False)
        self.apply()

    def apply(self) -> None:
        """`kubectl apply` of the shipped files, with our images' names."""
        for path in sorted(MANIFESTS.glob("*.yaml")):
            self.kubectl("apply", "-f", "-", given=IMAGE.sub(rf"{self._prefix}/\1:{self._tag}", path.read_text()))

    def wait_ready(self, seconds: float = 900.0) -> None:
        """Until everything serves; shows the pods when it does not."""
        for what in ("statefulset/postgres", "statefulset/redis", "deployment/orchestrator", "deployment/frontend"):
            try:
                self.kubectl("rollout", "status", what, f"--timeout={seconds:.0f}s", seconds=seconds + 30)
            except AssertionError:
                print(self.kubectl("get", "pods,events", "--sort-by=.metadata.creationTimestamp"), file=sys.stderr)
                raise

    def secret(self, name: str) -> dict[str, str]:
        """The values of a Secret, once it is there."""
        end = time.monotonic() + 300
        while True:
            try:
                data = json.loads(self.kubectl("get", "secret", name, "-o", "json"))["data"]
                return {key: b64decode(value).decode() for key, value in data.items()}
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)

    def restart(self, component: str) -> None:
        """Delete the pods of a component; what owns them makes new ones."""
        self.kubectl("delete", "pod", "-l", f"app=mimir-aip,component={component}", "--wait=true", seconds=300)

    def remove(self) -> None:
        """Delete it, and wait until it is gone."""
        self.kubectl("delete", "namespace", self.name, "--wait=true", "--timeout=300s", in_it=False, seconds=330)
