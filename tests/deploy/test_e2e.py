"""Parts of `make e2e` that need no cluster: messages, images and kinds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mimir.lib import bootstrap
from tests.e2e.cluster import KINDS, MANIFESTS, SECRETS, SERVING, Images, Namespace, Unusable
from tests.support.manifests import ROOT, objects, of_kind

VERSION = '{"serverVersion": {"major": "1", "minor": "%s", "gitVersion": "v1.%s"}}'


def _cluster(folder: Path, *, version: str = "34", allowed: bool = True) -> dict[str, str]:
    """Return an environment with a kubeconfig and a kubectl that passes the first checks."""
    (folder / "kubeconfig").touch()
    kubectl = folder / "kubectl"
    answers = (
        "version) "
        f"{'echo ' + repr(VERSION % (version, version)) if version else 'echo no route to host >&2; exit 1'};;"  # noqa: E501
    )
    kubectl.write_text(
        f"#!/bin/sh\ncase $1 in {answers} auth) {'echo yes' if allowed else 'echo no; exit 1'};; "
        "*) exit 9;; esac\n"
    )
    kubectl.chmod(0o755)
    return {"KUBECONFIG": str(folder / "kubeconfig"), "PATH": str(folder)}


def test_without_a_cluster_it_names_the_setting_and_exits() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("KUBECONFIG is not set: set it to a kubeconfig of the cluster")


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"names no file .*nowhere"):
        Namespace({**_cluster(tmp_path), "KUBECONFIG": str(tmp_path / "nowhere")})


def test_a_machine_without_kubectl_gets_the_install_address(tmp_path: Path) -> None:
    environment = _cluster(tmp_path)
    (tmp_path / "kubectl").unlink()
    with pytest.raises(Unusable, match=r"kubectl is not installed: https://"):
        Namespace(environment)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ({"version": ""}, "does not answer.*no route to host"),
        ({"version": "28+"}, "needs Kubernetes 1.29 or newer"),
        ({"allowed": False}, "cannot create namespaces"),
    ],
)
def test_an_unusable_cluster_is_refused_before_anything_is_created(
    tmp_path: Path, cluster: dict[str, str], expected: str
) -> None:
    with pytest.raises(Unusable, match=expected):
        Namespace(_cluster(tmp_path, **cluster))  # type: ignore[arg-type]


def test_each_run_has_a_namespace_of_its_own(tmp_path: Path) -> None:
    environment = _cluster(tmp_path)
    assert Namespace(environment).name != Namespace(environment).name


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"IMAGE_PREFIX": "https://registry.test/mimir"}, "IMAGE_PREFIX"),
        ({"IMAGE_PREFIX": "a b"}, "IMAGE_PREFIX"),
        ({"TAG": "1:2"}, "TAG"),
    ],
)
def test_an_invalid_image_name_is_rejected(named: dict[str, str], expected: str) -> None:
    with pytest.raises(Unusable, match=expected):
        Images.from_environment(named)


def test_product_images_get_the_given_names_and_others_stay() -> None:
    shipped = "".join(path.read_text() for path in MANIFESTS.glob("*.yaml"))
    mine = Images.from_environment(
        {"IMAGE_PREFIX": "registry.test:5000/me/", "TAG": "1.2"}
    ).named_in(shipped)
    names = re.compile(r"(?:\bimage|worker_image): (\S+)")
    for before, after in zip(names.findall(shipped), names.findall(mine), strict=True):
        ours = before.removeprefix("mimir-aip/").removesuffix(":latest")
        assert after == (f"registry.test:5000/me/{ours}:1.2" if ours != before else before)
    assert set(re.findall(r"registry\.test:5000/me/(\w+):1\.2", mine)) == {
        "orchestrator",
        "frontend",
        "worker",
    }


def test_images_not_named_are_those_of_make_images() -> None:
    shipped = "".join(path.read_text() for path in MANIFESTS.glob("*.yaml"))
    assert Images.from_environment({}).named_in(shipped) == shipped


def test_it_waits_for_all_serving_components() -> None:
    serves = {
        f"{kind.lower()}/{name}"
        for kind in ("Deployment", "StatefulSet")
        for name in of_kind("development", kind)
    }
    assert set(SERVING) == serves


def test_every_applied_kind_is_checked_after_the_deletion() -> None:
    kinds = {each["kind"].lower() for each in objects("development")}
    assert {
        kind.removesuffix("y") + "ies" if kind.endswith("y") else kind + "s" for kind in kinds
    } <= set(KINDS.split(","))
    assert all(each["metadata"]["labels"]["app"] == "mimir-aip" for each in objects("development"))


def test_the_secrets_it_keeps_are_those_of_the_bootstrap() -> None:
    assert {f"secret/{name}" for name in bootstrap.SECRETS} == SECRETS


def test_no_check_of_a_real_cluster_is_collected_by_make_test() -> None:
    assert not list((ROOT / "tests/e2e").rglob("test_*.py"))
