"""Fixtures: a fake Kubernetes API server and a launcher for it."""

from collections.abc import Iterator

import pytest

from jobs.clusters.launchers.kubernetes.launcher import KubernetesLauncher
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.launchers.kubernetes_launch import launcher_for


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


@pytest.fixture
def fake(cluster: FakeKubernetes) -> FakeKubernetes:
    cluster.reset()
    return cluster


@pytest.fixture
def launcher(fake: FakeKubernetes) -> KubernetesLauncher:
    return launcher_for(fake)
