"""Base class of the supervisor's threads."""

import sys
import threading

from jobs.worker.stopping import Stop, broken


class BackgroundThread(threading.Thread):
    """Run `work`. An unexpected exception is printed to stderr and ends the attempt."""

    def __init__(self, name: str, halt: Stop) -> None:
        super().__init__(name=name, daemon=True)
        self.halt = halt  # not `_stop`: threading.Thread has a method of that name

    def run(self) -> None:
        """Run `work` and report its exception."""
        try:
            self.work()
        except Exception as error:
            import traceback  # slow to import, and rarely needed

            traceback.print_exc(file=sys.stderr)
            self.halt.request(broken(self.name, error))

    def work(self) -> None:
        """Do the work of the thread."""
        raise NotImplementedError
