"""The shipped manifests, parsed as by a cluster.

Returns objects by kind and name, pods and their environment.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/k8s"
OVERLAYS = ("development", "production", "production-s3")
Object = dict[str, Any]


def environment_of(overlay: str) -> str:
    """Return the ENVIRONMENT of an overlay."""
    return overlay.partition("-")[0]


@cache
def objects(overlay: str) -> tuple[Object, ...]:
    """Return every object of all files that `kubectl apply -f` reads from the folder, in order."""
    files = sorted(
        path for path in (FOLDER / overlay).iterdir() if path.suffix in (".yaml", ".yml", ".json")
    )
    return tuple(each for path in files for each in yaml.safe_load_all(path.read_text()) if each)


def of_kind(overlay: str, kind: str) -> dict[str, Object]:
    """Return the objects of one kind by name."""
    return {each["metadata"]["name"]: each for each in objects(overlay) if each["kind"] == kind}


def pods(overlay: str) -> dict[str, Object]:
    """Return the pod templates by the name of their owner; the bootstrap Job has no release."""
    return {
        each["metadata"]["name"].split("-")[0]: each["spec"]["template"]
        for each in objects(overlay)
        if each["kind"] in ("Deployment", "StatefulSet", "Job")
    }


def containers(overlay: str) -> dict[str, Object]:
    """Return every container, including init containers, as `pod/container`."""
    return {
        f"{name}/{each['name']}": each
        for name, pod in pods(overlay).items()
        for each in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    }


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a label selector without expressions selects `labels`."""
    return set(selector.get("matchLabels", {}).items()) <= set(labels.items())
