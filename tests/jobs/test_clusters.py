"""Row of the default cluster.

Values from the environment are written at each start and replace earlier edits.
"""

import dataclasses
from typing import Any

import pytest

from jobs.clusters.rows import DEFAULT, cluster_configure, cluster_ensure
from jobs.models import Cluster

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_environments_capacity_wins_at_a_start_and_an_edit_until_the_next(
    settings: Any,
) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, capacity_jobs=3)
    cluster_configure()
    assert cluster_ensure().capacity_jobs == 3
    Cluster.objects.filter(name=DEFAULT).update(capacity_jobs=7)
    assert cluster_ensure().capacity_jobs == 7
    cluster_configure()
    assert cluster_ensure().capacity_jobs == 3


def test_an_edit_stays_if_the_environment_sets_no_value(settings: Any) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, capacity_jobs=0)
    cluster_configure()
    Cluster.objects.filter(name=DEFAULT).update(capacity_jobs=7)
    cluster_configure()
    assert cluster_ensure().capacity_jobs == 7
