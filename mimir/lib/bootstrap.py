"""`python -m mimir.lib.bootstrap`: create the missing Secrets of a new installation in a cluster.

It needs only create and get on secrets. Existing keys are never changed. It can be killed or run
twice at any time: each Secret is created whole, by one request. Standard library only: it runs
before there are settings.
"""

import base64
import http.client
import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TRIES, REST_SECONDS, TIMEOUT_SECONDS = 30, 2.0, 10.0
Values = Mapping[str, str]


class Failed(Exception):
    """The Secrets could not be created. The message says who must do what."""


def _word() -> str:
    return secrets.token_urlsafe(36)


def _database() -> Values:
    password = secrets.token_hex(24)
    return {"url": f"postgresql://mimir:{password}@postgres:5432/mimir", "password": password}


def _redis() -> Values:
    password = secrets.token_hex(24)
    return {"url": f"redis://:{password}@redis:6379/0", "password": password}


SECRETS: Mapping[str, Callable[[], Values]] = {
    "db-secret": _database,
    "redis-secret": _redis,
    "orchestrator-keys": lambda: {"secret-key": _word(), "worker-keys": _word()},
    "frontend-keys": lambda: {"secret-key": _word()},
    "trust-keys": lambda: {"frontend-keys": _word(), "metrics-token": _word()},
    "mimir-admin": lambda: {"username": "admin", "password": secrets.token_urlsafe(18)},
}


@dataclass(frozen=True, slots=True)
class Api:
    """Client for the Secrets of one namespace.

    `token_file` is read for each request: the kubelet renews it.
    """

    server: str
    namespace: str
    token_file: Path
    ca_file: Path | None
    rest_seconds: float = REST_SECONDS

    def request(
        self, method: str, name: str = "", body: object = None
    ) -> tuple[int, dict[str, object]]:
        """Return status and JSON of the response; retry if there is none, and after 429 or 5xx.

        Raises: Failed, after TRIES attempts.
        """
        last = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(self.rest_seconds)
            try:
                status, found = self._once(method, name, body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                last = str(error) or type(error).__name__
                continue
            if status != 429 and status < 500:
                return status, found
            last = f"status {status}"
        raise Failed(
            f"The API server {self.server} does not answer ({last}). Does a NetworkPolicy let "
            "bootstrap reach it?"
        )

    def _once(self, method: str, name: str, body: object) -> tuple[int, dict[str, object]]:
        url = f"{self.server}/api/v1/namespaces/{self.namespace}/secrets" + (
            f"/{name}" if name else ""
        )
        data = None if body is None else json.dumps(body).encode()
        headers = {
            "Authorization": f"Bearer {self.token_file.read_text().strip()}",
            "Content-Type": "application/json",
        }
        request = urllib.request.Request(url, data=data, method=method, headers=headers)  # noqa: S310 - our own API server
        context = ssl.create_default_context(cafile=str(self.ca_file)) if self.ca_file else None
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=TIMEOUT_SECONDS, context=context
            ) as answer:
                return answer.status, _object(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _object(error.read())


def _object(data: bytes) -> dict[str, object]:
    found = json.loads(data or b"{}")
    return found if isinstance(found, dict) else {}


def secrets_ensure(api: Api) -> list[str]:
    """Create the missing Secrets and return their names. Raises: Failed."""
    return [name for name, make in SECRETS.items() if _ensure(api, name, make())]


def _ensure(api: Api, name: str, values: Values) -> bool:
    status, found = api.request("GET", name)
    if status == 404:
        status, found = api.request("POST", body=_secret(name, values))
        if status in (200, 201):
            return True
        if (
            status == 409
        ):  # created meanwhile, by another run or by a request of this run without a response
            status, found = api.request("GET", name)
    if status != 200:
        raise Failed(
            f"Secret {name}: the API server says {found.get('message') or status}. Bootstrap "
            "needs create and get on secrets."
        )
    data = found.get("data")
    missing = sorted(values.keys() - (data.keys() if isinstance(data, dict) else set()))
    if missing:
        raise Failed(
            f"Secret {name} has no key {', '.join(missing)}. Add it, or delete the Secret to "
            "create it again."
        )
    return False


def _secret(name: str, values: Values) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": name, "labels": {"app": "mimir-aip", "component": "bootstrap"}},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def in_cluster() -> Api:
    """Return the client for the namespace of this pod, by its service account. Raises: Failed."""
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST"),
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    namespace = ACCOUNT / "namespace"
    if not host or not namespace.exists():
        raise Failed(
            "This runs in a pod with a service account's token: see "
            "deploy/k8s/overlays/development/bootstrap.yaml."
        )
    named = f"[{host}]" if ":" in host else host
    return Api(
        f"https://{named}:{port}",
        namespace.read_text().strip(),
        ACCOUNT / "token",
        ACCOUNT / "ca.crt",
    )


def main() -> None:
    """Create what is missing and print the names, never the values."""
    try:
        created = secrets_ensure(in_cluster())
    except Failed as error:
        sys.exit(str(error))
    sys.stdout.write(f"Secrets created: {', '.join(created) or 'none, all existed'}\n")


if __name__ == "__main__":
    main()
