"""Mutants of forked workers."""

from tests.mutants.mutant import Mutant

FORKS = (
    Mutant(
        "a forked worker that runs although its launcher gave up",
        "jobs/worker/fork_server.py",
        "            os._exit(EXIT_REFUSED)\n",
        "            return\n",
        "tests/launchers/test_fork_server.py::test_a_process_that_answers_too_late_does_not_become_a_second_worker",
    ),
    Mutant(
        "a launch token that stays in memory when the workload is forked",
        "jobs/worker/launch_token.py",
        "        ctypes.memset(id(value) + bytes.__basicsize__ - 1, _MASK, len(value))\n",
        "        return read_end\n",
        "tests/launchers/test_fork_server.py::test_a_token_is_in_no_memory_while_it_is_in_its_pipe",
    ),
)
