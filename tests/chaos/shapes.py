"""Jobs of several shapes for the random run, with their allowed ends."""

import random
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.learning import job_of
from tests.chaos.oracle import Expected
from tests.support.stack import Stack

PROJECTS = ("chaos-a", "chaos-b", "chaos-c")
LINES = 4000
SUCCEEDED, CANCELLED = ("succeeded", ""), ("cancelled", "cancelled")
EXIT_CODE, SIGNAL = ("failed", "exit_code"), ("failed", "signal")


@dataclass(slots=True)
class Shape:
    """Shape of a job.

    `then`: what its command does after it wrote into the oracle. `writes`: it writes a separate
    dataset. `cancel`: it is cancelled while it runs.
    """

    then: str
    ends: frozenset[tuple[str, str]]
    stdout: str = ""
    writes: bool = False
    cancel: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


SHAPES = {
    "short": Shape("echo one; echo two", frozenset({SUCCEEDED}), "one\ntwo\n"),
    "log": Shape(
        f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); done; sleep 1; echo end",
        frozenset({SUCCEEDED}),
        "".join(f"line {number}\n" for number in range(LINES)) + "end\n",
    ),
    "failing": Shape("echo so; exit 3", frozenset({EXIT_CODE}), "so\n"),
    "cancelled": Shape(
        "echo begun; sleep 3", frozenset({SUCCEEDED, CANCELLED}), "begun\n", cancel=True
    ),
    "retried": Shape(
        '[ "$(grep -c "^$JOB_ID " {oracle})" -ge 3 ] || exit 5; echo third',
        frozenset({SUCCEEDED}),
        "third\n",
        fields={"max_attempts": 3},
    ),
    "dataset": Shape("echo rows; sleep 0.5", frozenset({SUCCEEDED}), "rows\n", writes=True),
}
TYPES = {
    "training": "ml_training",
    "inference": "ml_inference",
    "twin": "digital_twin_update",
    "shared twin": "digital_twin_update",
}
# A killed workload of ours, not a command of a user: it ended by a signal, or without a
# word.
KILLED = frozenset({SIGNAL, EXIT_CODE, ("failed", "workload_failed")})


@dataclass(slots=True)
class Submitted:
    """A job of the run. `cancel_at`: seconds on the run's clock."""

    id: str
    shape: str
    project: str
    dataset: str = ""
    cancel_at: float | None = None
    made: str = ""

    def expected(self, *, harmed: bool) -> Expected:
        """Return the allowed ends.

        A job whose workload was killed may end like a command that was killed.
        """
        if self.made:
            return Expected(
                frozenset({SUCCEEDED}) | (KILLED if harmed else set()),
                project=self.project,
                made=self.made,
            )
        shape = SHAPES[self.shape]
        ends = shape.ends | ({SIGNAL, EXIT_CODE} if harmed else set())
        return Expected(ends, stdout=shape.stdout, project=self.project, dataset=self.dataset)


def submit(stack: Stack, dice: random.Random, *, now: float) -> Submitted:
    """Submit a random kind of job to a random project."""
    name, project = dice.choice([*SHAPES, *TYPES]), dice.choice(PROJECTS)
    if name in TYPES:
        job, made = job_of(
            stack,
            project,
            TYPES[name],
            shared=name == "shared twin",
            version=dice.choice((1, 2)) if name == "shared twin" else 1,
        )
        return Submitted(job, name, project, made=made)
    shape = SHAPES[name]
    command = {
        "id": "run",
        "uses": "command",
        "with": {
            "argv": [
                "sh",
                "-c",
                stack.oracle_line(shape.then.replace("{oracle}", str(stack.oracle))),
            ]
        },
    }
    dataset = f"d{uuid.uuid4().hex[:12]}" if shape.writes else ""
    steps = [*stack.writing(dataset), command] if dataset else [command]
    job = stack.submit(steps, project=project, **shape.fields)
    return Submitted(
        job, name, project, dataset, now + dice.uniform(0.2, 6.0) if shape.cancel else None
    )
