"""Constructed cases with the real messages of Kubernetes 1.29 to 1.35, runtimes and controllers."""

from tests.launchers.cases import (
    creating,
    ending,
    evicting,
    gone,
    images,
    scheduling,
    starting,
    variants,
)
from tests.launchers.cases.base import Case

CASES: list[Case] = [
    *images.IMAGES,
    *scheduling.SCHEDULING,
    *creating.CREATING,
    *starting.STARTING,
    *ending.ENDINGS,
    *evicting.EVICTIONS,
    *gone.GONE,
    *variants.VARIANTS,
]
