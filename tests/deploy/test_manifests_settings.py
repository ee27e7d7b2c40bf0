"""Settings that the containers of the shipped manifests start with."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.core.resources import parse_cpu, parse_memory, profiles_with
from jobs.types.registry import builtin_profiles
from mimir import env
from mimir.lib.bodies import spool_budget
from mimir.lib.bootstrap import SECRETS
from projects.datasets.read import CONVERSIONS_AT_ONCE
from projects.parsing.runner import FILE_BYTES_MAX
from projects.storage import artifacts
from tests.deploy.shipped import LOOPS, ONCE, each_overlay, render
from tests.support.manifests import (
    Object,
    containers,
    environment_of,
    of_kind,
    pods,
)


@each_overlay
def test_no_address_is_trusted_and_both_sides_have_the_same_key(
    overlay: str, tmp_path: Path
) -> None:
    frontend = {
        variable["name"]: variable for variable in containers(overlay)["frontend/frontend"]["env"]
    }
    web = {
        variable["name"]: variable for variable in containers(overlay)["orchestrator/web"]["env"]
    }
    assert frontend["TRUSTED_PROXIES"]["value"] == ""
    assert frontend["FRONTEND_KEYS"] == web["FRONTEND_KEYS"]
    holders = {
        name
        for name, each in containers(overlay).items()
        if any(variable["name"] == "FRONTEND_KEYS" for variable in each.get("env", []))
    }
    assert holders == {"frontend/frontend", "orchestrator/web"}
    loaded = env.load(
        "orchestrator",
        {
            **_environment(containers(overlay)["orchestrator/web"]),
            "MIMIR_CONFIG": str(_config(overlay, tmp_path)),
        },
    )
    assert (loaded.direct_sources, loaded.metrics_sources) == ((), ())
    assert loaded.metrics_token
    assert of_kind(overlay, "Service")["frontend"]["spec"]["type"] == (
        "LoadBalancer" if overlay == "development" else "ClusterIP"
    )


@each_overlay
@pytest.mark.parametrize(
    "container",
    ["orchestrator/migrate", "orchestrator/web", *sorted(LOOPS), "bootstrap/administrator"],
)
def test_each_process_of_the_orchestrator_starts_with_the_settings_it_is_given(
    overlay: str, container: str, tmp_path: Path
) -> None:
    if container.startswith("bootstrap") and overlay != "development":
        assert container not in containers(overlay)
        return
    loaded = env.load(
        "orchestrator",
        {
            **_environment(containers(overlay)[container]),
            "MIMIR_CONFIG": str(_config(overlay, tmp_path)),
        },
    )
    assert (loaded.environment, loaded.launcher) == (environment_of(overlay), "kubernetes")
    assert loaded.orchestrator_url == "http://orchestrator:8080"
    spool = {volume["name"]: volume for volume in pods(overlay)["orchestrator"]["spec"]["volumes"]}[
        "spool"
    ]
    converted = CONVERSIONS_AT_ONCE * FILE_BYTES_MAX
    uploads = spool_budget(loaded.upload_spool_bytes, loaded.max_upload_bytes).total_bytes
    assert parse_memory(spool["emptyDir"]["sizeLimit"]) >= uploads + converted, (
        "the kubelet evicts a pod above it"
    )
    profiles_with(json.loads(loaded.resource_profiles or "{}"), builtin=builtin_profiles())


@each_overlay
def test_the_frontend_starts_with_the_settings_it_is_given(overlay: str, tmp_path: Path) -> None:
    loaded = env.load("frontend", _environment(containers(overlay)["frontend/frontend"]))
    orchestrator = env.load(
        "orchestrator",
        {
            **_environment(containers(overlay)["orchestrator/web"]),
            "MIMIR_CONFIG": str(_config(overlay, tmp_path)),
        },
    )
    assert loaded.environment == environment_of(overlay)
    assert loaded.api_url == "http://orchestrator:8080"
    assert loaded.public_url == orchestrator.public_url
    assert loaded.max_upload_bytes == orchestrator.max_upload_bytes
    volumes = {volume["name"]: volume for volume in pods(overlay)["frontend"]["spec"]["volumes"]}
    mounts = {
        mount["mountPath"]: mount["name"]
        for mount in containers(overlay)["frontend/frontend"]["volumeMounts"]
    }
    spool = volumes[mounts[loaded.spool_dir]]
    assert (
        parse_memory(spool["emptyDir"]["sizeLimit"])
        > spool_budget(loaded.upload_spool_bytes, loaded.max_upload_bytes).total_bytes
    )


def _config(overlay: str, folder: Path) -> Path:
    file = folder / "config.yaml"
    file.write_text(of_kind(overlay, "ConfigMap")["orchestrator-config"]["data"]["config.yaml"])
    return file


YOURS = {
    "db-secret": {"url": "postgresql://u:p@db/m?sslmode=verify-full"},
    "redis-secret": {"url": "rediss://:p@redis:6379/0"},
}


def _environment(container: Object) -> dict[str, str]:
    """Return the variables of a container, with secrets and pod fields filled in as by the cluster,
    and the stores of production.
    """
    secrets = {name: dict(make()) for name, make in SECRETS.items()}
    for name, values in YOURS.items():
        secrets[name].update(values)
    found: dict[str, str] = {}
    for variable in container.get("env", []):
        source: dict[str, Any] = variable.get("valueFrom", {})
        if source.get("secretKeyRef", {}).get("optional"):
            continue
        if "secretKeyRef" in source:
            found[variable["name"]] = secrets[source["secretKeyRef"]["name"]][
                source["secretKeyRef"]["key"]
            ]
        else:
            found[variable["name"]] = variable.get("value", "10.42.0.7")
    return found


def test_everything_and_its_workers_fit_two_cores_and_six_gigabytes(tmp_path: Path) -> None:
    loaded = env.load(
        "orchestrator",
        {
            **_environment(containers("development")["orchestrator/web"]),
            "MIMIR_CONFIG": str(_config("development", tmp_path)),
        },
    )
    # capacity that the services of a single node leave free
    free_cpu, free_memory = (1700, 5.2 * 10**9)
    stay = [
        each["resources"] for name, each in containers("development").items() if name not in ONCE
    ]
    assert (
        sum(parse_cpu(each["requests"]["cpu"]) for each in stay) + loaded.capacity_cpu_millicores
        <= free_cpu
    )
    assert (
        sum(parse_memory(each["limits"]["memory"]) for each in stay) + loaded.capacity_memory_bytes
        <= free_memory
    )
    for profile in profiles_with(
        json.loads(loaded.resource_profiles), builtin=builtin_profiles()
    ).values():
        assert (
            profile.requests.memory_bytes
            == profile.limits.memory_bytes
            <= loaded.capacity_memory_bytes
        )
        assert profile.requests.cpu_millicores <= loaded.capacity_cpu_millicores


def test_with_a_bucket_nothing_is_mounted_for_artifacts_and_its_keys_go_where_it_is_used() -> None:
    assert "artifacts" not in of_kind("production-s3", "PersistentVolumeClaim")
    for name, each in containers("production-s3").items():
        if not name.startswith("orchestrator/"):
            continue
        assert "/app/artifacts" not in [mount["mountPath"] for mount in each["volumeMounts"]]
        given = {variable["name"]: variable for variable in each["env"]}
        uses = name.split("/")[1] in render.KEEPERS
        assert ("ARTIFACTS_URL" in given, "AWS_SECRET_ACCESS_KEY" in given) == (uses, uses), name
        if uses:
            loaded = env.load("orchestrator", {**_environment(each), "MIMIR_CONFIG": "/dev/null"})
            assert loaded.artifacts_url == "s3://mimir-aip/artifacts"
    ports = {
        port["port"]
        for rule in of_kind("production-s3", "NetworkPolicy")["orchestrator-bucket"]["spec"][
            "egress"
        ]
        for port in rule["ports"]
    }
    assert 443 in ports
    [spool] = [
        volume
        for volume in pods("production-s3")["orchestrator"]["spec"]["volumes"]
        if volume["name"] == "spool"
    ]
    limit = env.load(
        "orchestrator", _environment(containers("production-s3")["orchestrator/web"])
    ).max_upload_bytes
    capacity = (
        artifacts.COPIES_AT_ONCE * limit
        + CONVERSIONS_AT_ONCE * FILE_BYTES_MAX
        + spool_budget(0, limit).total_bytes
    )
    assert parse_memory(spool["emptyDir"]["sizeLimit"]) >= capacity, (
        "two previews beside two uploads, each as large as allowed"
    )
