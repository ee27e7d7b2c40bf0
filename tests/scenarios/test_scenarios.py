"""Every trouble in every phase of an attempt: 500 scenarios here, 10,000 by `make chaos`."""

import os
from collections.abc import Iterator

import pytest

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.matrix import ALL, run_worlds

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


def test_every_promise_is_kept_under_any_fault(
    fake: FakeKubernetes, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_worlds(fake, int(os.environ.get("SCENARIOS", "500")))
    with capsys.disabled():
        print("\n" + result.table())
    assert not result.wrong, "\n".join(result.wrong)
    assert not [cell for cell in ALL if not result.begun[cell]]
