"""Properties of the shipped manifests, read from the applied files."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jobs.clusters.launchers.manifest import COMPONENT, MODEL_CACHE_CLAIM, SERVICE_ACCOUNT
from jobs.core.resources import parse_cpu, parse_memory, profiles_with
from jobs.types.registry import builtin_profiles
from mimir import env
from mimir.lib.addresses import SPECIAL_IPV4
from mimir.lib.bodies import spool_budget
from mimir.lib.bootstrap import SECRETS
from mimir.lib.version import VERSION
from projects.datasets.read import CONVERSIONS_AT_ONCE
from projects.parsing.runner import FILE_BYTES_MAX
from projects.storage import artifacts
from tests.support import rbac
from tests.support.images import lay_out
from tests.support.manifests import (
    FOLDER,
    OVERLAYS,
    Object,
    containers,
    environment_of,
    matches,
    objects,
    of_kind,
    pods,
)

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
LOOPS = {"orchestrator/dispatcher", "orchestrator/reconciler"}
ONCE = {
    "orchestrator/migrate",
    "bootstrap/secrets",
    "bootstrap/administrator",
}  # they end: nothing to probe
_spec = importlib.util.spec_from_file_location("render", FOLDER / "render.py")
assert _spec
assert _spec.loader
render = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(render)


@each_overlay
def test_what_is_applied_is_what_the_overlays_say(overlay: str) -> None:
    shipped = FOLDER / overlay / "mimir-aip.yaml"
    assert shipped.read_text() == render.rendered(overlay, version=VERSION), "run `make manifests`"
    assert [path.name for path in shipped.parent.iterdir()] == [shipped.name], (
        "`kubectl apply -f` takes the whole folder"
    )


@each_overlay
@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_a_strict_api_server_takes_every_object(overlay: str, version: str) -> None:
    for each in objects(overlay):
        kubernetes_validate.validate(each, version, strict=True)


def test_development_goes_into_the_current_namespace() -> None:
    found = objects("development")
    assert [
        each["kind"]
        for each in found
        if each["kind"]
        in ("Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")
    ] == []
    assert [each["metadata"]["name"] for each in found if "namespace" in each["metadata"]] == []
    assert [
        subject
        for each in of_kind("development", "RoleBinding").values()
        for subject in each["subjects"]
        if "namespace" in subject
    ] == []


@pytest.mark.parametrize("overlay", OVERLAYS[1:])
def test_production_has_a_namespace_whose_pods_are_restricted_and_all_is_in_it(
    overlay: str,
) -> None:
    labels = of_kind(overlay, "Namespace")["mimir-aip"]["metadata"]["labels"]
    assert {
        labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")
    } == {"restricted"}
    assert {
        each["metadata"].get("namespace")
        for each in objects(overlay)
        if each["kind"] != "Namespace"
    } == {"mimir-aip"}
    assert {
        subject["namespace"]
        for each in of_kind(overlay, "RoleBinding").values()
        for subject in each["subjects"]
    } == {"mimir-aip"}


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
def test_every_container_that_stays_is_probed(overlay: str) -> None:
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
def test_what_is_started_and_probed_is_in_the_image(overlay: str, tmp_path: Path) -> None:
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


@each_overlay
def test_the_roles_hold_exactly_what_is_used(overlay: str) -> None:
    roles = of_kind(overlay, "Role")
    assert _verbs(roles["orchestrator"]) == rbac.ROLE_VERBS
    if overlay == "development":
        assert _verbs(roles["bootstrap"]) == rbac.BOOTSTRAP_VERBS
        readable = [
            rule["resourceNames"]
            for rule in roles["bootstrap"]["rules"]
            if rule["verbs"] == ["get"]
        ]
        assert readable == [list(SECRETS)]
    for binding in of_kind(overlay, "RoleBinding").values():
        assert binding["roleRef"]["name"] in roles
        assert [subject["name"] for subject in binding["subjects"]] == [binding["metadata"]["name"]]


def _verbs(role: Object) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for resource in rule["resources"]:
            found.setdefault(resource, set()).update(rule["verbs"])
    return found


@each_overlay
def test_services_and_budgets_select_pods_that_are_there_and_ports_that_are_named(
    overlay: str,
) -> None:
    templates = pods(overlay).values()
    for service in of_kind(overlay, "Service").values():
        [pod] = [
            pod
            for pod in templates
            if matches({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"])
        ]
        names = {
            port["name"] for each in pod["spec"]["containers"] for port in each.get("ports", [])
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for budget in of_kind(overlay, "PodDisruptionBudget").values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert (
            len(
                [
                    pod
                    for pod in templates
                    if matches(budget["spec"]["selector"], pod["metadata"]["labels"])
                ]
            )
            == 1
        )
    ports = {
        name: [(port["port"]) for port in each["spec"]["ports"]]
        for name, each in of_kind(overlay, "Service").items()
    }
    assert (ports["orchestrator"], ports["frontend"]) == ([8080], [80, 3000])


@each_overlay
def test_every_pod_is_denied_by_default_and_every_policy_selects_something(overlay: str) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(overlay).values()] + [
        {"app": "mimir-aip", "component": COMPONENT}
    ]
    policies = of_kind(overlay, "NetworkPolicy")
    deny = policies["default-deny"]["spec"]
    assert set(deny["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in deny
    assert "egress" not in deny
    assert all(matches(deny["podSelector"], each) for each in labels)
    for name, policy in policies.items():
        assert any(matches(policy["spec"]["podSelector"], each) for each in labels), name
        for peer in _peers(policy):
            if "podSelector" in peer and "namespaceSelector" not in peer:
                assert any(matches(peer["podSelector"], each) for each in labels), name


def _peers(policy: Object) -> list[Object]:
    spec = policy["spec"]
    rules = [*spec.get("ingress", []), *spec.get("egress", [])]
    return [peer for rule in rules for peer in [*rule.get("from", []), *rule.get("to", [])]]


@each_overlay
def test_names_are_resolved_by_the_clusters_own_resolver_alone(overlay: str) -> None:
    [rule] = of_kind(overlay, "NetworkPolicy")["dns"]["spec"]["egress"]
    [peer] = rule["to"]
    assert peer["namespaceSelector"] == {
        "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
    }
    assert peer["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    policies = of_kind(overlay, "NetworkPolicy")
    anywhere = {
        name
        for name, policy in policies.items()
        for each in policy["spec"].get("egress", [])
        if "to" not in each
    }
    assert anywhere <= {
        "bootstrap",
        "orchestrator",
        "orchestrator-stores",
        "orchestrator-bucket",
    }, "their addresses are yours to name"


@each_overlay
def test_nobody_is_trusted_by_address_and_both_sides_have_the_same_key(
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


@pytest.mark.parametrize("file", ["dns.yaml", "nodes.yaml", "servicemonitor.yaml"])
def test_the_optional_manifests_are_read_and_name_what_is_shipped(file: str) -> None:
    for each in yaml.safe_load_all((FOLDER / "optional" / file).read_text()):
        if each["kind"] == "NetworkPolicy":
            kubernetes_validate.validate(each, "1.29", strict=True)
        if each["kind"] == "ServiceMonitor":
            [endpoint] = each["spec"]["endpoints"]
            credentials = endpoint["authorization"]["credentials"]
            assert credentials["key"] in SECRETS[credentials["name"]]()
            assert endpoint["port"] in {
                port["name"]
                for port in of_kind("production", "Service")["orchestrator"]["spec"]["ports"]
            }


@each_overlay
def test_a_worker_is_called_by_nobody_and_reaches_neither_the_cluster_nor_a_cloud_s_metadata(
    overlay: str,
) -> None:
    policy = of_kind(overlay, "NetworkPolicy")["worker"]
    assert policy["spec"]["ingress"] == []
    excepted = {
        cidr for peer in _peers(policy) if "ipBlock" in peer for cidr in peer["ipBlock"]["except"]
    }
    assert excepted == set(SPECIAL_IPV4), "the table that `read` steps are judged by"
    named = [
        peer["podSelector"]["matchLabels"]["component"]
        for peer in _peers(policy)
        if "podSelector" in peer
    ]
    assert named == ["orchestrator"]


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
    """The container's variables, what comes from secrets and the pod filled in as the cluster would; stores as production brings them."""
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


@each_overlay
def test_no_secret_is_shipped_and_every_referenced_one_is_created(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}
    asked = {
        (ref["name"], ref["key"])
        for each in containers(overlay).values()
        for variable in each.get("env", [])
        if (ref := variable.get("valueFrom", {}).get("secretKeyRef")) and not ref.get("optional")
    }
    assert asked
    assert asked <= {(name, key) for name, make in SECRETS.items() for key in make()}


def test_everything_and_its_workers_fit_two_cores_and_six_gigabytes(tmp_path: Path) -> None:
    loaded = env.load(
        "orchestrator",
        {
            **_environment(containers("development")["orchestrator/web"]),
            "MIMIR_CONFIG": str(_config("development", tmp_path)),
        },
    )
    room_cpu, room_memory = 1700, 5.2 * 10**9  # what a single node's own services leave
    stay = [
        each["resources"] for name, each in containers("development").items() if name not in ONCE
    ]
    assert (
        sum(parse_cpu(each["requests"]["cpu"]) for each in stay) + loaded.capacity_cpu_millicores
        <= room_cpu
    )
    assert (
        sum(parse_memory(each["limits"]["memory"]) for each in stay) + loaded.capacity_memory_bytes
        <= room_memory
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


def test_two_replicas_on_a_volume_of_one_node_are_refused() -> None:
    found = json.loads(json.dumps(objects("production")))
    render.check(found)
    for each in found:
        if each["kind"] == "PersistentVolumeClaim" and each["metadata"]["name"] == "artifacts":
            each["spec"]["accessModes"] = ["ReadWriteOnce"]
    with pytest.raises(render.Refused, match="Make the claim ReadWriteMany"):
        render.check(found)


def test_two_replicas_need_a_bucket_where_there_is_no_claim_for_artifacts() -> None:
    render.check(list(objects("production-s3")))
    for container in render.KEEPERS:
        found = json.loads(json.dumps(objects("production-s3")))
        [pod] = [
            each["spec"]["template"]["spec"]
            for each in found
            if each["kind"] == "Deployment" and each["metadata"]["name"] == "orchestrator"
        ]
        [each] = [each for each in pod["containers"] if each["name"] == container]
        each["env"] = [variable for variable in each["env"] if variable["name"] != "ARTIFACTS_URL"]
        with pytest.raises(render.Refused, match="artifacts of its own"):
            render.check(found)


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
    room = (
        artifacts.COPIES_AT_ONCE * limit
        + CONVERSIONS_AT_ONCE * FILE_BYTES_MAX
        + spool_budget(0, limit).total_bytes
    )
    assert parse_memory(spool["emptyDir"]["sizeLimit"]) >= room, (
        "two previews beside two uploads, each as large as allowed"
    )


def test_a_release_makes_a_bootstrap_of_its_own_that_goes_by_itself() -> None:
    [job] = of_kind("development", "Job").values()
    assert job["metadata"]["name"].startswith(f"bootstrap-{VERSION.replace('.', '-')}-")
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    again = render.rendered("development", version="9.9.9")
    assert "name: bootstrap-9-9-9-" in again
    assert render.JOB not in again
    assert render.CHECKSUM not in again
