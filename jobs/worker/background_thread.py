"""A thread of the supervisor that does not end in silence."""

import sys
import threading

from jobs.worker.stopping import Stop, broken


class BackgroundThread(threading.Thread):
    """Does `work`. What it raises unexpectedly goes to stderr and ends the attempt, instead of leaving everybody to wait for it for ever."""

    def __init__(self, name: str, halt: Stop) -> None:
        super().__init__(name=name, daemon=True)
        self.halt = halt  # not `_stop`: threading.Thread has a method of that name

    def run(self) -> None:
        """Until `work` returns."""
        try:
            self.work()
        except Exception as error:
            import traceback  # takes a while: only where it is needed

            traceback.print_exc(file=sys.stderr)
            self.halt.ask(broken(self.name, error))

    def work(self) -> None:
        """What the thread is for."""
        raise NotImplementedError
