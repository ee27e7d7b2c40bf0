"""The types of pipeline steps. Each module in this package defines one, as `STEP`.

To add a type `x`: define it in `x.py` here, write its function in
`jobs/worker/pipelines/steps/x.py`, and test both. The modules are pure: server processes, the
frontend and workers import them.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from mimir.lib.schemas.steptype import StepType


def _load() -> dict[str, StepType]:
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    ]
    found: list[StepType] = sorted(
        (module.STEP for module in modules), key=lambda step: (step.position, step.name)
    )
    return {step.name: step for step in found}


STEP_TYPES: dict[str, StepType] = _load()


def step_type_of(step: object) -> StepType | None:
    """The type of a step; None where `step` is not a step or names no known type."""
    uses = step.get("uses") if isinstance(step, dict) else None
    return STEP_TYPES.get(uses) if isinstance(uses, str) else None


def queries(definition: object) -> Iterator[tuple[str, str]]:
    """(path, text) of each SQL text in a definition. Any JSON value is accepted."""
    steps = definition.get("steps") if isinstance(definition, dict) else None
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        step_type = step_type_of(step)
        options = step.get("with") if step_type is not None else None
        if step_type is None or not isinstance(options, dict):
            continue
        for name in step_type.names("sql"):
            if isinstance(options.get(name), str):
                yield f"steps[{index}].with.{name}", options[name]
