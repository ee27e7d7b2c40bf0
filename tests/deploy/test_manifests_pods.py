"""Pods of the shipped manifests: security, resources, probes, volumes and service accounts."""

from pathlib import Path

from jobs.clusters.launchers.manifest import MODEL_CACHE_CLAIM, SERVICE_ACCOUNT
from tests.deploy.shipped import LOOPS, ONCE, each_overlay
from tests.support.images import lay_out
from tests.support.manifests import (
    containers,
    of_kind,
    pods,
)


@each_overlay
def test_every_pod_is_restricted(overlay: str) -> None:
    for pod in pods(overlay).values():
        given = pod["spec"]["securityContext"]
        assert given["runAsNonRoot"] is True
        assert given["runAsUser"] > 0
        assert given["fsGroup"] > 0
        assert given["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["enableServiceLinks"] is False, (
            "a Service's name would make variables such as REDIS_PORT"
        )
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys()
        assert not any("hostPath" in volume for volume in pod["spec"].get("volumes", []))
    for each in containers(overlay).values():
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@each_overlay
def test_every_container_has_requests_limits_and_a_sized_tmp(overlay: str) -> None:
    for name, each in containers(overlay).items():
        for amount in ("requests", "limits"):
            assert set(each["resources"][amount]) == {"cpu", "memory"}, name
    for name, pod in pods(overlay).items():
        sizes = [
            volume["emptyDir"] for volume in pod["spec"].get("volumes", []) if "emptyDir" in volume
        ]
        assert sizes, name
        assert all("sizeLimit" in size for size in sizes), name


@each_overlay
def test_the_documented_sizes_are_kept(overlay: str) -> None:
    found = containers(overlay)
    memory = "1Gi" if overlay == "development" else "4Gi"  # adr/0026: parsing children count too
    assert found["orchestrator/web"]["resources"] == {
        "requests": {"cpu": "250m", "memory": "512Mi"},
        "limits": {"cpu": "500m", "memory": memory},
    }
    assert found["frontend/frontend"]["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "200m", "memory": "256Mi"},
    }


@each_overlay
def test_every_long_running_container_is_probed(overlay: str) -> None:
    for name, each in containers(overlay).items():
        expected = (
            set()
            if name in ONCE
            else {"startupProbe", "livenessProbe"}
            | (set() if name in LOOPS else {"readinessProbe"})
        )
        assert {key for key in each if key.endswith("Probe")} == expected, name
    web = containers(overlay)["orchestrator/web"]
    assert [
        web[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    ] == ["/health", "/health", "/ready"]


@each_overlay
def test_a_loop_is_probed_by_the_file_that_it_touches(overlay: str) -> None:
    for name in LOOPS:
        each = containers(overlay)[name]
        given = {variable["name"]: variable.get("value") for variable in each["env"]}
        script, file = each["livenessProbe"]["exec"]["command"][3:5]
        assert file == given["BEAT_FILE"]
        assert Path(script).relative_to("/app") == Path("mimir/lib/heartbeat_probe.py")
        assert file.startswith("/tmp/")
        assert each["command"] == ["python", "manage.py", name.split("/")[1]]


@each_overlay
def test_started_and_probed_programs_are_in_the_image(overlay: str, tmp_path: Path) -> None:
    app = lay_out("orchestrator", tmp_path / "app")
    commands = [
        each["command"]
        for each in containers(overlay).values()
        if "mimir-aip/orchestrator" in each["image"] and "command" in each
    ]
    commands += [containers(overlay)[name]["livenessProbe"]["exec"]["command"] for name in LOOPS]
    for command in commands:
        assert command[0] == "python"
        if command[1] == "-m":
            needed = [Path(*command[2].split(".")).with_suffix(".py")]
        elif command[1] == "manage.py":
            needed = [
                found.relative_to(app)
                for found in app.glob(f"*/management/commands/{command[2]}.py")
            ]
        else:
            needed = [Path(command[3]).relative_to("/app")]
        assert needed, command
        assert all((app / file).is_file() for file in needed), command


@each_overlay
def test_every_mount_has_a_volume_and_every_claim_and_account_is_shipped(overlay: str) -> None:
    for pod in pods(overlay).values():
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for each in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            assert {mount["name"] for mount in each["volumeMounts"]} <= volumes.keys()
        claims = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in volumes.values()
            if "persistentVolumeClaim" in volume
        }
        assert claims <= of_kind(overlay, "PersistentVolumeClaim").keys()
        assert pod["spec"]["serviceAccountName"] in of_kind(overlay, "ServiceAccount")
    assert MODEL_CACHE_CLAIM in of_kind(overlay, "PersistentVolumeClaim")
    assert SERVICE_ACCOUNT in of_kind(overlay, "ServiceAccount")


@each_overlay
def test_a_token_is_mounted_only_where_the_api_server_is_called(overlay: str) -> None:
    assert all(
        each["automountServiceAccountToken"] is False
        for each in of_kind(overlay, "ServiceAccount").values()
    )
    assert all(
        pod["spec"]["automountServiceAccountToken"] is False for pod in pods(overlay).values()
    )
    holders = {
        name
        for name, each in containers(overlay).items()
        if any(mount["name"] == "api-access" for mount in each.get("volumeMounts", []))
    }
    assert holders == LOOPS | ({"bootstrap/secrets"} if overlay == "development" else set())
