"""Worlds of many scenarios, and a table of troubles by phase."""

import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.building import world
from tests.scenarios.oracle import judge
from tests.scenarios.troubles import OF_WATCHES, TROUBLES, Phase, Trouble
from tests.scenarios.world import Scenario

Cell = tuple[Trouble, Phase]
A_WORLD = 50
ENOUGH = 500  # scenarios that plan every trouble in every phase
PHASES = tuple(Phase)
ALL = list(itertools.product(TROUBLES, PHASES))
LISTED = [cell for cell in ALL if cell[0] not in OF_WATCHES]
WATCHED = [cell for cell in ALL if cell[0] in OF_WATCHES] + LISTED


@dataclass(slots=True)
class Result:
    """Totals over all scenarios."""

    planned: set[Cell] = field(default_factory=set)
    begun: Counter[Cell] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    scenarios: int = 0
    rounds: int = 0
    away: int = 0
    seconds: float = 0.0

    def missed(self) -> list[Cell]:
        """Return the planned troubles and phases that never occurred."""
        return [cell for cell in ALL if cell in self.planned and not self.begun[cell]]

    def unplanned(self) -> list[Cell]:
        """Return the troubles and phases that are in no world of this run."""
        return [cell for cell in ALL if cell not in self.planned]

    def table(self) -> str:
        """Return the number of scenarios by trouble and phase, with totals and unplanned cells."""
        head = f"{'':34}" + "".join(f"{phase:>12.12}" for phase in PHASES)
        rows = [
            f"{trouble:34}" + "".join(f"{self.begun[trouble, phase]:>12}" for phase in PHASES)
            for trouble in TROUBLES
        ]
        totals = (
            f"{self.scenarios} scenarios in {self.seconds / 60:.1f} min, {self.rounds} rounds, "
            f"{self.away} passes without an answer of the cluster, "
            f"{len(self.wrong)} promises broken"
        )
        if unplanned := self.unplanned():
            totals += (
                f"\nNOT CHECKED: {len(unplanned)} of {len(ALL)} combinations of trouble and phase."
                f" These need more scenarios (SCENARIOS={ENOUGH})."
            )
        return "\n".join([head, *rows, totals])


def scenarios(number: int) -> tuple[list[Scenario], bool]:
    """Return the scenarios of world `number`, and whether it uses watches.

    Every second world uses watches, in which the troubles of watches occur.
    """
    dice = random.Random(number)  # noqa: S311 - the same dice for the same world
    follows = bool(number % 2)
    cells = WATCHED if follows else LISTED
    chosen = [cells[(number // 2 * A_WORLD + index) % len(cells)] for index in range(A_WORLD)]
    made = []
    for trouble, phase in chosen:
        later = PHASES[PHASES.index(phase) :]  # a cancel before the trouble would prevent it
        cancel_in = dice.choice(later) if dice.random() < 0.4 else None
        made.append(Scenario(trouble, phase, succeeds=dice.random() < 0.7, cancel_in=cancel_in))
    return made, follows


def run_world(fake: FakeKubernetes, number: int, result: Result) -> list[str]:
    """Run world `number` on an empty database and count it in `result`.

    Return the violated invariants.
    """
    began = time.monotonic()
    made, follows = scenarios(number)
    with world(fake, made, seed=number, follow=follows) as run:
        try:
            run.run()
            wrong = [f"world {number}: {fault}" for fault in judge(run)]
        except AssertionError as broken:
            wrong = [f"world {number}: {broken}"]
        result.rounds += run.rounds
        result.away += sum(run.away.values())
    result.wrong += wrong
    result.scenarios += len(made)
    result.planned.update((each.trouble, each.phase) for each in made if each.trouble is not None)
    result.begun.update(
        (each.trouble, each.phase)
        for each in made
        if each.order is not None and each.trouble is not None
    )
    result.seconds += time.monotonic() - began
    return wrong
