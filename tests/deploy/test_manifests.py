"""Objects of the shipped manifests: rendering, schema, namespaces, roles and secrets."""

import json

import kubernetes_validate
import pytest
import yaml

from mimir.lib.bootstrap import SECRETS
from mimir.lib.version import VERSION
from tests.deploy.shipped import each_overlay, render
from tests.support import rbac
from tests.support.manifests import (
    FOLDER,
    OVERLAYS,
    Object,
    containers,
    objects,
    of_kind,
)


@each_overlay
def test_the_applied_manifests_match_the_overlays(overlay: str) -> None:
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


@pytest.mark.parametrize("file", ["dns.yaml", "nodes.yaml", "servicemonitor.yaml"])
def test_the_optional_manifests_are_parsed_and_name_shipped_objects(file: str) -> None:
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
def test_no_secret_is_shipped_and_every_referenced_one_is_created(overlay: str) -> None:
    assert of_kind(overlay, "Secret") == {}
    referenced = {
        (ref["name"], ref["key"])
        for each in containers(overlay).values()
        for variable in each.get("env", [])
        if (ref := variable.get("valueFrom", {}).get("secretKeyRef")) and not ref.get("optional")
    }
    assert referenced
    assert referenced <= {(name, key) for name, make in SECRETS.items() for key in make()}


def test_two_replicas_on_a_volume_of_one_node_are_refused() -> None:
    found = json.loads(json.dumps(objects("production")))
    render.check(found)
    for each in found:
        if each["kind"] == "PersistentVolumeClaim" and each["metadata"]["name"] == "artifacts":
            each["spec"]["accessModes"] = ["ReadWriteOnce"]
    with pytest.raises(render.Refused, match="Make the claim ReadWriteMany"):
        render.check(found)


def test_two_replicas_need_a_bucket_without_a_claim_for_artifacts() -> None:
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


def test_each_release_has_a_bootstrap_job_that_is_removed_automatically() -> None:
    [job] = of_kind("development", "Job").values()
    assert job["metadata"]["name"].startswith(f"bootstrap-{VERSION.replace('.', '-')}-")
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    again = render.rendered("development", version="9.9.9")
    assert "name: bootstrap-9-9-9-" in again
    assert render.JOB not in again
    assert render.CHECKSUM not in again
