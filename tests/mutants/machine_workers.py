"""Mutants of local workers: their forks, their pids and their termination."""

from tests.mutants.mutant import Mutant

MACHINE_WORKERS = (
    Mutant(
        "a forked worker runs after its launcher timed out",
        "jobs/worker/fork_server.py",
        "            os._exit(EXIT_REFUSED)\n",
        "            return\n",
        "tests/launchers/test_fork_server.py::test_a_process_that_answers_too_late_does_not_become_a_second_worker",
    ),
    Mutant(
        "a forked service runs after its supervisor timed out",
        "mimir/dev/service_fork_server.py",
        """            answer(stream)
        except OSError:
            os._exit(EXIT_REFUSED)
""",
        """            answer(stream)
        except OSError:
            pass
""",
        "tests/dev/test_service_forks.py::test_a_process_that_answers_too_late_does_not_run",
    ),
    Mutant(
        "a launch token that stays in memory when the workload is forked",
        "jobs/worker/launch_token.py",
        "        ctypes.memset(id(value) + bytes.__basicsize__ - 1, _MASK, len(value))\n",
        "        return read_end\n",
        "tests/launchers/test_fork_server.py::test_a_token_is_in_no_memory_while_it_is_in_its_pipe",
    ),
    Mutant(
        "the report of an earlier guardian counts",
        "jobs/clusters/launchers/process.py",
        "        (folder / worker_folder.EMPTY).unlink(missing_ok=True)\n",
        "",
        "tests/launchers/test_guardian.py::test_a_start_never_leaves_the_report_of_the_one_before_it",
    ),
    Mutant(
        "the end of a worker waits for the rest after a pass",
        "jobs/reconcile/loop.py",
        "        if names := frozenset(changed if rested else ended):\n",
        "        if names := frozenset(changed if rested else ()):\n",
        "tests/jobs/test_reconcile_loop.py::test_the_end_of_a_worker_waits_for_no_rest",
    ),
    Mutant(
        "a signal to the pid of an earlier start",
        "jobs/clusters/launchers/process.py",
        '        (folder / "pid").unlink(missing_ok=True)\n',
        "",
        "tests/launchers/test_process.py::test_a_start_never_leaves_the_pid_of_the_one_before_it",
    ),
    Mutant(
        "gone is assumed before it is observed",
        "jobs/reconcile/once.py",
        """    if not launcher.is_gone(row.name, str(row.id)):
        return False
    crash_point("reconcile.seen_gone")
""",
        """    crash_point("reconcile.seen_gone")
""",
        "tests/jobs/test_reconcile.py::test_a_worker_that_a_late_list_does_not_show_is_not_gone",
    ),
)
