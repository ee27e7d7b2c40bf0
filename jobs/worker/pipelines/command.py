"""`command`: a program of the user's, with the earlier tables in `inputs/`.

What it leaves in `outputs/` becomes artifacts, but for the files of the tables that the step declares: `outputs/<table>.parquet` or another
format that Mimir reads. They become tables for `sql`, `write` and later commands. All are checked before anything is delivered.
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
from typing import TYPE_CHECKING

from jobs.contract import ArtifactRole, FailureReason
from jobs.worker.workload_context import Terminated, WorkFailed

if TYPE_CHECKING:
    from jobs.worker.pipelines.run import Run
    from mimir.lib.schemas.pipeline import Step

_KEPT: tuple[str, ...] = (
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
_KEPT += ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


def run_command(run: "Run", step: "Step") -> None:
    """Run the program and deliver what it left. Raises: WorkFailed for an end that is not 0."""
    folder = run.orders.data_dir / "steps" / step.id
    outputs = folder / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    _lay_out(run, step, folder / "inputs")
    _check(_run(step, folder), step)
    _check_folder(outputs)
    _take_tables(run, step, outputs)
    for path, name in _left(outputs, run, step):
        run.orders.deliver(
            path, name=name, role=ArtifactRole.ARTIFACT, media_type=_media_type(name)
        )


def _take_tables(run: "Run", step: "Step", outputs: Path) -> None:
    """Make the declared tables of their files. Raises: WorkFailed when one is missing or is not a table."""
    if not step.makes:
        return
    from jobs.worker.pipelines.read import read_file  # takes 20 ms: only where it is needed

    found = {table: _table_file(table, step, outputs) for table in step.makes}
    for table, path in found.items():
        taken = run.tables.path(table).with_suffix(".output")
        path.rename(taken)
        try:
            rows = read_file(run.tables, table, taken, f"outputs/{path.name}")
        except WorkFailed as failure:
            raise WorkFailed(
                failure.reason, failure.message, table=table, **failure.detail
            ) from failure
        print(
            f"mimir: table {table} from outputs/{path.name}: {rows:,} rows",
            file=sys.stderr,
            flush=True,
        )


def _table_file(table: str, step: "Step", outputs: Path) -> Path:
    """The regular file `outputs/<table>.<format>`. Raises: WorkFailed unless there is exactly one."""
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
            f"table {table} has more than one file ({names}). Leave one of them",
            table=table,
        )
    raise WorkFailed(
        FailureReason.INVALID_INPUT,
        f"the command did not write the table {table}. It must leave outputs/{table}.parquet or outputs/{table}.csv, "
        f"or the step {step.id} must not list it in tables",
        table=table,
    )


def _lay_out(run: "Run", step: "Step", inputs: Path) -> None:
    """The tables as `<step>.parquet`: links, so that a large table is not copied; read-only, so that it stays what it is."""
    inputs.mkdir(exist_ok=True)
    for name in run.readable[step.id]:
        table = run.tables.made.get(name)
        if table is not None:
            table.path.chmod(0o400)
            with contextlib.suppress(FileExistsError):
                (inputs / f"{name}.parquet").hardlink_to(table.path)


def _run(step: "Step", folder: Path) -> int:
    argv = [str(argument) for argument in step.options["argv"]]
    try:
        process = subprocess.Popen(argv, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise WorkFailed(
            FailureReason.INVALID_INPUT, f"the program {argv[0][:200]} is not there"
        ) from None
    except OSError as error:
        raise WorkFailed(
            FailureReason.WORKLOAD_FAILED, f"{argv[0][:200]} cannot be started: {error.strerror}"
        ) from error
    try:
        return process.wait()
    except Terminated:
        # The supervisor signals every process once and counts the grace: this one only waits, so that the program can end in order.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.wait()
        raise


def _environment() -> dict[str, str]:
    """`python3` is the worker's own; its output comes line by line, so that it can be followed."""
    own = os.path.dirname(sys.executable)
    path = f"{own}:{os.environ.get('PATH', os.defpath)}"
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "PATH": path,
        "PYTHONUNBUFFERED": "1",
    }


def _check(code: int, step: "Step") -> None:
    if code < 0:
        raise WorkFailed(FailureReason.SIGNAL, "", signal=-code)
    if code > 0:
        raise WorkFailed(
            FailureReason.EXIT_CODE,
            f"the command ended with exit code {code}{_by_signal(code)}",
            exit_code=code,
        )


def _by_signal(code: int) -> str:
    """A shell tells of a signal by 128 and its number."""
    try:
        return f" (signal {signal.Signals(code - 128).name} ended what it ran)"
    except ValueError:
        return ""


def _check_folder(outputs: Path) -> None:
    if outputs.is_symlink() or not outputs.is_dir():
        raise WorkFailed(
            FailureReason.WORKLOAD_FAILED,
            "it removed its folder outputs/ or replaced it by a link or a file",
        )


def _left(outputs: Path, run: "Run", step: "Step") -> Iterator[tuple[Path, str]]:
    """Regular files below `outputs`, each with a name no other artifact of the run has. Links are not followed."""
    for folder, folders, files in os.walk(outputs, onerror=_unreadable):
        folders.sort()
        links = [
            name for name in folders if (Path(folder) / name).is_symlink()
        ]  # to folders: not walked into
        for file in sorted([*files, *links]):
            path = Path(folder) / file
            relative = str(path.relative_to(outputs))
            if path.is_symlink() or not path.is_file():
                shown = relative.encode(errors="replace").decode()
                print(
                    f"mimir: outputs/{shown} is no regular file: it is not kept",
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
        f"a folder it left in outputs/ cannot be read: {error.strerror}",
    ) from error


def _artifact_name(relative: str) -> str:
    """`a/b c.txt` as `a-b_c.txt`: what storage, URLs and file systems all take."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", relative.replace("/", "-"))
    return (safe if safe[0].isalnum() else f"x{safe}")[:200]


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
