"""Fixtures of the scenarios with one job on one cluster."""

from collections.abc import Iterator

import pytest

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.building import world
from tests.scenarios.troubles import Phase
from tests.scenarios.world import Scenario, World


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


@pytest.fixture
def run(cluster: FakeKubernetes) -> Iterator[World]:
    """A world with one job and no trouble except that of the test."""
    with world(cluster, [Scenario(None, Phase.RUNNING)], seed=1) as created:
        yield created
