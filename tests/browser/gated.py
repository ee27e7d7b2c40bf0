"""Jobs whose output and end a test controls.

No test must wait for a job.
"""

import os
import uuid
from pathlib import Path
from typing import Any

from tests.support.stack import TERMINAL, Stack

_PROGRAM = """
n=1
while :; do
  while [ ! -e {folder}/$n ] && [ ! -e {folder}/end ]; do sleep 0.05; done
  [ -e {folder}/$n ] || break
  cat {folder}/$n
  n=$((n+1))
done
"""


class GatedJob:
    """Job that prints the lines passed to `say` and ends on `end`."""

    def __init__(self, stack: Stack, folder: Path, **fields: Any) -> None:
        self._stack = stack
        self._folder = folder / uuid.uuid4().hex
        self._folder.mkdir()
        self._said = 0
        self.id = stack.submit(_PROGRAM.format(folder=self._folder), **fields)

    @property
    def path(self) -> str:
        """Return the path of the job's page."""
        return f"/jobs/{self.id}/"

    def running(self) -> "GatedJob":
        """Wait until the job runs."""
        self._stack.wait_status(self.id, "running")
        return self

    def say(self, *lines: str) -> None:
        """Let the job print these lines."""
        self._said += 1
        draft = self._folder / f"draft-{self._said}"
        draft.write_text("".join(f"{line}\n" for line in lines))
        os.rename(draft, self._folder / str(self._said))

    def end(self) -> None:
        """Let the job succeed."""
        (self._folder / "end").touch()

    def be_gone(self) -> None:
        """End the job, whatever its status."""
        self.end()
        if self._stack.status(self.id) not in TERMINAL:
            self._stack.call("POST", f"/api/v1/jobs/{self.id}/cancel/")
            self._stack.end_of(self.id)
