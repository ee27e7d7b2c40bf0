"""Checks of pipeline definitions in parsing children, one child for all steps of a definition.

The server parses no SQL. Results are cached by content, refusals included.
"""

import hashlib
import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.pipeline_types import StepGraph
from mimir.lib.schemas.sqlguard import definition_complaints
from projects.parsing.cache import ExpiringCache
from projects.parsing.child_process import End, Limits, Outcome, run_child
from projects.parsing.messages import (
    DefinitionRequest,
    DefinitionResult,
    ReadReference,
    StepCheck,
    empty_graph,
)
from projects.parsing.slots import WAIT_SECONDS, Busy, Kind, Owner, definition_slots

SECONDS_MAX = 30
CPU_SECONDS_MAX = 5
_MIB = 1024**2
LIMITS = Limits(
    seconds=SECONDS_MAX,
    cpu_seconds=CPU_SECONDS_MAX,
    address_bytes=768 * _MIB,  # about 250 MiB of it are libraries and reserved memory
    resident_bytes=400 * _MIB,
    file_bytes=64 * _MIB,
    answer_bytes=4 * _MIB,
)
_CACHE_BYTES = 8 * _MIB
_NOBODY = Owner()
_slots = definition_slots()
_answers: ExpiringCache["Checked"] = ExpiringCache(entries=500, weight=_CACHE_BYTES, seconds=3600)


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of a check.

    `faults` forbid saving; `data_faults` do not match the project's present data. `steps` are in
    the order of the run. `steps` and `graph` are empty if there are `faults`.
    """

    faults: tuple[FieldError, ...]
    data_faults: tuple[FieldError, ...] = ()
    steps: tuple[StepCheck, ...] = ()
    graph: StepGraph = field(default_factory=empty_graph)


def check(
    definition: object,
    *,
    reads: Mapping[str, ReadReference] | None = None,
    writes: Mapping[str, int] | None = None,
    scratch_dir: str,
    owner: Owner = _NOBODY,
) -> Checked:
    """Check `definition`, any JSON value, against the data that `reads` and `writes` describe.

    `binding.bind` explains both. Raises: Busy.
    """
    complaints = definition_complaints(definition)
    if complaints:
        return Checked(tuple(FieldError(path, message) for path, message in complaints))
    request: DefinitionRequest = {
        "operation": "definition",
        "definition": definition,
        "reads": reads or {},
        "writes": writes or {},
    }
    key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    found = _answers.get(key)
    if found is None:
        with _slots.held(Kind.DEFINITION, owner, WAIT_SECONDS):
            found = _answers.get(key) or _run(request, key, scratch_dir)
    return found


def _run(request: DefinitionRequest, key: str, scratch_dir: str) -> Checked:
    with run_child(request, LIMITS, scratch_dir) as (outcome, _scratch):
        checked = _checked(outcome)
    if outcome.end is not End.CRASH or outcome.code != -signal.SIGKILL:
        _answers.put(key, checked, weight=1000 + len(json.dumps(outcome.answer)))
    return checked


def _checked(outcome: Outcome) -> Checked:
    """Turn the outcome of a child into a result. Raises: Busy if the machine is the cause."""
    if outcome.end is End.ANSWER:
        result: DefinitionResult = outcome.answer["ok"]
        faults, data_faults = (
            tuple(FieldError(**fault) for fault in found)
            for found in (result["faults"], result["data_faults"])
        )
        return Checked(faults, data_faults, tuple(result["steps"]), result["graph"])
    if outcome.end is End.CRASH and outcome.code > 0:
        message = (
            "The definition could not be checked on this machine."
            " Try again in a moment, or contact an administrator."
        )
        raise Busy(message, retry_after_seconds=10)
    if outcome.end is End.WALL_TIME and outcome.cpu_seconds < CPU_SECONDS_MAX / 2:
        raise Busy(
            "This machine is too busy to check the definition. Try again in a few seconds.",
            retry_after_seconds=10,
        )
    return Checked((FieldError(outcome.place or "steps", _BREACHES[outcome.end]),))


_TIME = (
    f"takes too long to check: the limit for all steps is {CPU_SECONDS_MAX} seconds of CPU time."
    " Simplify it, or use several pipelines"
)
_BREACHES = {
    End.WALL_TIME: _TIME,
    End.CPU_TIME: _TIME,
    End.MEMORY: (
        "needs more memory to check than is allowed: simplify it, or split it into several steps"
    ),
    End.ANSWER_SIZE: "is too large to check: use fewer or simpler steps",
    End.CRASH: "crashes the SQL parser: simplify it, or split it into several steps",
}
