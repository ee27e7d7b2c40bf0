"""`command`: runs a program of the user, with earlier tables in `inputs/`.

Files in `outputs/` become artifacts, except the files of the tables that the step declares:
`outputs/<table>.parquet`, or another supported format. Those become tables that later steps can
read. All tables are checked before any file is delivered.
"""

import contextlib
import mimetypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from jobs.contract import ArtifactRole, FailureReason
from jobs.worker.pipelines.run import Run
from jobs.worker.workload_context import Terminated, WorkFailed
from mimir.lib.schemas.pipeline import Step

_PASSED_VARIABLES: tuple[str, ...] = (
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TZ",
    "REDIS_URL",
    "JOB_ID",
    "ATTEMPT_ID",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_PASSED_VARIABLES += ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


def execute(run: Run, step: Step) -> None:
    """Run the program and deliver its files. Raises: WorkFailed, also for an exit code above 0."""
    folder = run.context.data_dir / "steps" / step.id
    outputs = folder / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    _link_inputs(run, step, folder / "inputs")
    _check_exit(_run_program(step, folder))
    _check_folder(outputs)
    _read_tables(run, step, outputs)
    for path, name in _artifacts(outputs, run, step):
        run.context.deliver(
            path, name=name, role=ArtifactRole.ARTIFACT, media_type=_media_type(name)
        )


def _read_tables(run: Run, step: Step, outputs: Path) -> None:
    """Create the declared tables from their files. Raises: WorkFailed if one cannot be read."""
    if not step.makes:
        return
    from jobs.worker.pipelines.inputs import read_file  # takes 20 ms to import

    found = {table: _table_file(table, step, outputs) for table in step.makes}
    for table, path in found.items():
        moved = run.tables.path(table).with_suffix(".output")
        path.rename(moved)
        try:
            rows = read_file(run.tables, table, moved, f"outputs/{path.name}")
        except WorkFailed as failure:
            raise WorkFailed(
                failure.reason, failure.message, table=table, **failure.detail
            ) from failure
        print(
            f"mimir: table {table} from outputs/{path.name}: {rows:,} rows",
            file=sys.stderr,
            flush=True,
        )


def _table_file(table: str, step: Step, outputs: Path) -> Path:
    """Return the regular file `outputs/<table>.<format>`.

    Raises: WorkFailed unless exactly one exists.
    """
    matching = sorted(
        path
        for path in outputs.iterdir()
        if path.name.partition(".")[0] == table and path.is_file() and not path.is_symlink()
    )
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = ", ".join(f"outputs/{path.name[:80]}" for path in matching[:5])
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"table {table} has more than one file ({names}). Write only one of them",
            table=table,
        )
    raise WorkFailed(
        FailureReason.INVALID_INPUT,
        f"the command did not write the table {table}. Write outputs/{table}.parquet or"
        f" outputs/{table}.csv, or remove {table} from the tables of step {step.id}",
        table=table,
    )


def _link_inputs(run: Run, step: Step, inputs: Path) -> None:
    """Link the tables that the step can read as `inputs/<table>.parquet`.

    Hard links avoid copies of large tables. The files become read-only, because later steps use
    them too.
    """
    inputs.mkdir(exist_ok=True)
    for name in run.readable[step.id]:
        table = run.tables.by_name.get(name)
        if table is not None:
            table.path.chmod(0o400)
            with contextlib.suppress(FileExistsError):
                (inputs / f"{name}.parquet").hardlink_to(table.path)


def _run_program(step: Step, folder: Path) -> int:
    """Run the program to its end and return its exit code; below 0 for a signal."""
    argv = [str(argument) for argument in step.options["argv"]]
    try:
        process = subprocess.Popen(argv, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise WorkFailed(
            FailureReason.INVALID_INPUT, f"the program {argv[0][:200]} does not exist"
        ) from None
    except OSError as error:
        raise WorkFailed(
            FailureReason.WORKLOAD_FAILED, f"{argv[0][:200]} cannot be started: {error.strerror}"
        ) from error
    try:
        return process.wait()
    except Terminated:
        # The supervisor signals every process and enforces the grace period. This process only
        # waits, to let the program end in order.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.wait()
        raise


def _environment() -> dict[str, str]:
    """Return the program's environment: `python3` is the worker's, its output unbuffered."""
    own = os.path.dirname(sys.executable)
    path = f"{own}:{os.environ.get('PATH', os.defpath)}"
    return {
        **{name: os.environ[name] for name in _PASSED_VARIABLES if name in os.environ},
        "PATH": path,
        "PYTHONUNBUFFERED": "1",
    }


def _check_exit(code: int) -> None:
    """Raise WorkFailed for a signal and for an exit code above 0."""
    if code < 0:
        raise WorkFailed(FailureReason.SIGNAL, "", signal=-code)
    if code > 0:
        raise WorkFailed(
            FailureReason.EXIT_CODE,
            f"the command ended with exit code {code}{_shell_signal(code)}",
            exit_code=code,
        )


def _shell_signal(code: int) -> str:
    """Name the signal of an exit code above 128: a shell returns 128 plus the signal's number."""
    try:
        return f" (signal {signal.Signals(code - 128).name})"
    except ValueError:
        return ""


def _check_folder(outputs: Path) -> None:
    if outputs.is_symlink() or not outputs.is_dir():
        raise WorkFailed(
            FailureReason.WORKLOAD_FAILED,
            "the command removed its folder outputs/, or replaced it with a link or a file",
        )


def _artifacts(outputs: Path, run: Run, step: Step) -> Iterator[tuple[Path, str]]:
    """Yield the regular files below `outputs`, each with an artifact name unique in the run.

    Links are not followed.
    """
    for folder, folders, files in os.walk(outputs, onerror=_unreadable):
        folders.sort()
        # `os.walk` lists links to folders, but does not enter them.
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for file in sorted([*files, *links]):
            path = Path(folder) / file
            relative = str(path.relative_to(outputs))
            if path.is_symlink() or not path.is_file():
                shown = relative.encode(errors="replace").decode()
                print(
                    f"mimir: outputs/{shown} is not a regular file. It is ignored",
                    file=sys.stderr,
                    flush=True,
                )
                continue
            name = _artifact_name(relative)
            if name in run.artifact_names:
                name = _artifact_name(f"{step.id}-{relative}")
            base, number = name, 1
            while name in run.artifact_names:
                number += 1
                name = f"{number}-{base}"[:200]
            run.artifact_names.add(name)
            yield path, name


def _unreadable(error: OSError) -> None:
    raise WorkFailed(
        FailureReason.WORKLOAD_FAILED,
        f"a folder in outputs/ cannot be read: {error.strerror}",
    ) from error


def _artifact_name(relative: str) -> str:
    """Return a name that storage, URLs and file systems allow: `a/b c.txt` is `a-b_c.txt`."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", relative.replace("/", "-"))
    return (safe if safe[0].isalnum() else f"x{safe}")[:200]


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
