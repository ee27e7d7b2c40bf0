"""Fixtures for the fake Kubernetes API.

All tests share one fake, which is reset before each test. The contract tests run against this fake
or against a real API server.
"""

import os
import secrets
from collections.abc import Iterator

import pytest
from kubernetes import client, config

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.support import Jobs, Target


@pytest.fixture(scope="session")
def _fake_process() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as fake:
        yield fake


@pytest.fixture
def fake(_fake_process: FakeKubernetes) -> FakeKubernetes:
    _fake_process.reset()
    return _fake_process


@pytest.fixture(scope="session")
def _api(_fake_process: FakeKubernetes) -> Iterator[client.ApiClient]:
    api = config.new_client_from_config(str(_fake_process.kubeconfig))  # type: ignore[no-untyped-call]
    yield api
    api.close()


@pytest.fixture
def jobs(fake: FakeKubernetes, _api: client.ApiClient) -> Jobs:
    """Return the official client, connected to the reset fake."""
    return Jobs(_api, fake.namespace)


@pytest.fixture(scope="session")
def _target() -> Iterator[Target]:
    """Provide the cluster of KUBECONFIG with MIMIR_E2E=1, else a fake in real time."""
    if os.environ.get("MIMIR_E2E") == "1":
        api = config.new_client_from_config(os.environ["KUBECONFIG"])  # type: ignore[no-untyped-call]
        yield Target(api, None)
        api.close()
        return
    with FakeKubernetes(real_time=True) as fake:
        api = config.new_client_from_config(str(fake.kubeconfig))  # type: ignore[no-untyped-call]
        yield Target(api, fake)
        api.close()


@pytest.fixture
def target(_target: Target) -> Iterator[Target]:
    """Provide a target in a separate namespace, which is deleted after the test."""
    _target.enter(f"mimir-contract-{secrets.token_hex(4)}")
    yield _target
    _target.leave()
