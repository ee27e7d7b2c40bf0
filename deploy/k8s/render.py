"""`make manifests`: render the overlays into plain YAML in
deploy/k8s/{development,production,production-s3}.

kustomize creates the objects. This script adds a checksum of the ConfigMap to pods, puts the
release and a digest into the name of the bootstrap Job (a Job is immutable), and refuses volumes
that two replicas cannot share.
"""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
OVERLAYS = ("development", "production", "production-s3")
KEEPERS = ("web", "reconciler")  # the containers that read and write artifacts
CHECKSUM, JOB = "CONFIG-CHECKSUM", "bootstrap-version"
HEAD = "# Made by `make manifests` from deploy/k8s/overlays/{overlay}: change it there.\n"


class Refused(Exception):
    """These manifests would not run. The text says what to change."""


def rendered(overlay: str, *, version: str) -> str:
    """Return the YAML of one overlay, for the release `version`.

    Raises: Refused; subprocess.CalledProcessError if kubectl fails.
    """
    own = Path(sys.executable).with_name("kubectl")  # installed if the system has none
    command = [
        str(own) if own.exists() else "kubectl",
        "kustomize",
        str(FOLDER / "overlays" / overlay),
    ]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    objects = [each for each in yaml.safe_load_all(text) if each]
    check(objects)
    config = [each["data"] for each in objects if each["kind"] == "ConfigMap"]
    text = text.replace(CHECKSUM, _digest(config))
    jobs = [each["spec"] for each in objects if each["kind"] == "Job"]
    return HEAD.format(overlay=overlay) + text.replace(
        JOB, f"bootstrap-{version.replace('.', '-')}-{_digest([jobs, config])}"
    )


def check(objects: list[dict[str, Any]]) -> None:
    """Refuse replicas that cannot share their volumes, or would not share their artifacts.

    Volumes of replicas must be ReadWriteMany, because replicas can run on two nodes.

    Raises: Refused.
    """
    claims = [each for each in objects if each["kind"] == "PersistentVolumeClaim"]
    shared = {
        each["metadata"]["name"]
        for each in claims
        if "ReadWriteMany" in each["spec"]["accessModes"]
    }
    for each in objects:
        if each["kind"] != "Deployment" or each["spec"].get("replicas", 1) < 2:
            continue
        for volume in each["spec"]["template"]["spec"].get("volumes", []):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and claim not in shared:
                raise Refused(
                    f"Deployment {each['metadata']['name']} has {each['spec']['replicas']} "
                    f"replicas and the claim {claim} is not ReadWriteMany: "
                    "on two nodes one of them would wait for its volume without end. Make the "
                    "claim ReadWriteMany, keep artifacts in a bucket "
                    "(overlays/production-s3), or make the replicas 1."
                )

        if each["metadata"]["name"] == "orchestrator":
            _check_artifacts(each["spec"]["template"]["spec"])


def _check_artifacts(pod: dict[str, Any]) -> None:
    """Check that all replicas keep artifacts in one bucket or one claim. Raises: Refused."""
    claims = {
        volume["name"] for volume in pod.get("volumes", []) if "persistentVolumeClaim" in volume
    }
    for each in pod["containers"]:
        if each["name"] not in KEEPERS:
            continue
        given = {variable["name"]: variable.get("value", "") for variable in each.get("env", [])}
        mounts = {mount["mountPath"]: mount["name"] for mount in each.get("volumeMounts", [])}
        if (
            not given.get("ARTIFACTS_URL", "").startswith("s3://")
            and mounts.get("/app/artifacts") not in claims
        ):
            raise Refused(
                f"Each replica's {each['name']} would keep artifacts of its own. Give all of them "
                "a bucket (ARTIFACTS_URL=s3://…, as "
                "overlays/production-s3 has it) or a claim that is ReadWriteMany at "
                "/app/artifacts, or make the replicas 1."
            )


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:10]


def main() -> None:
    sys.path.insert(0, str(FOLDER.parents[1]))
    from mimir.lib.version import VERSION

    for overlay in OVERLAYS:
        target = FOLDER / overlay / "mimir-aip.yaml"
        target.parent.mkdir(exist_ok=True)
        target.write_text(rendered(overlay, version=VERSION))
        sys.stdout.write(f"{target.relative_to(FOLDER.parents[1])}\n")


if __name__ == "__main__":
    try:
        main()
    except Refused as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.stderr)
