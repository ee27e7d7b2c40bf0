"""Rules for a command or a working directory that cannot be used in the image. Pure.

The patterns match messages of runc, crun, containerd, CRI-O and Docker. Only statements about the
command itself count: a runtime also reports "no such file or directory" for profiles, devices,
mounts and its own sockets.
"""

import re

from jobs.diagnosis.catalogue import startup as says
from jobs.diagnosis.kubernetes.cause import NAME_MAX, Cause
from jobs.diagnosis.kubernetes.worker_spec import WorkerSpec
from jobs.diagnosis.message import Message

_QUOTE = r"""[\\"'`]*"""
_NAME = r"""([^"'`\\:]{1,512})"""
# A runtime's sentence about the command, with the command as its first group.
_COMMANDS = (
    re.compile(rf"exec: {_QUOTE}{_NAME}{_QUOTE}: "),
    re.compile(rf"executable file {_QUOTE}{_NAME}{_QUOTE} not found"),
    re.compile(rf"exec container process (?:\([^)]*\) )?{_QUOTE}{_NAME}{_QUOTE}: ", re.I),
    re.compile(rf"(?<![\w/])exec {_QUOTE}(/[^\s\"'`\\:]{{1,512}}|[\w.-]{{1,128}}){_QUOTE}: "),
    re.compile(rf"container_linux\.go:\d+: .*?\bstat {_QUOTE}{_NAME}{_QUOTE}: no such file"),
)
_NO_NAME = re.compile(
    r"no command specified|exec user process caused|open executable: "
    r"|cannot execute binary file|exec format error|executable file not found",
    re.I,
)
_STAT = re.compile(rf"\bstat {_QUOTE}{_NAME}{_QUOTE}: no such file")
_DIRECTORIES = (
    re.compile(
        rf"chdir to cwd \({_QUOTE}([^\"\\)]{{1,512}}){_QUOTE}\)[^:]*: (?P<why>[a-z][a-z -]*)", re.I
    ),
    re.compile(rf"\bchdir (?:to )?{_QUOTE}{_NAME}{_QUOTE}: (?P<why>[A-Za-z][A-Za-z -]*)"),
    re.compile(r"\bchdir()[^:/]{0,40}: (?P<why>[A-Za-z][A-Za-z -]*)"),
    re.compile(
        r"(?:container init|container process)[^:]{0,40}[:\"\\ ]+mkdir ([^\s:]{1,512}):"
        r" (?P<why>[a-z][a-z -]*)"
    ),
    re.compile(
        rf"(?:working directory|\bcwd)\b {_QUOTE}(/[^\s\"'`\\:]{{1,512}})?{_QUOTE}.{{0,40}}?"
        r"(?P<why>invalid|must be|not exist|not found|denied)",
        re.I,
    ),
)
_CAUSES: tuple[tuple[re.Pattern[str], Message], ...] = (
    (
        re.compile(r"exec format error|cannot execute binary file", re.I),
        says.COMMAND_WRONG_ARCHITECTURE,
    ),
    (
        re.compile(r"permission denied|not executable|is a directory", re.I),
        says.COMMAND_NOT_EXECUTABLE,
    ),
    (re.compile(r"no command specified", re.I), says.COMMAND_NOT_NAMED),
)


def command_cause(message: str, raw: str, spec: WorkerSpec, image: str) -> Cause | None:
    """Return a fault of the command or its working directory; None for any other message."""
    directory = next(
        (found for pattern in _DIRECTORIES if (found := pattern.search(message))), None
    )
    if directory:
        return _working_directory(directory, raw, spec, image)
    named = any(pattern.search(message) for pattern in _COMMANDS) or _NO_NAME.search(message)
    stat = _STAT.search(message)
    if named or (stat and stat[1] == spec.command):
        return bad_command(message, raw, spec, image)
    return None


def bad_command(message: str, raw: str, spec: WorkerSpec, image: str) -> Cause:
    """Return why the command cannot run in the image."""
    match = next((found for pattern in _COMMANDS if (found := pattern.search(message))), None)
    command = (match[1] if match else spec.command)[:NAME_MAX]
    named = f"command {command}" if command else "worker's command"
    matching = (found for pattern, found in _CAUSES if pattern.search(message))
    params = {"named": named, "command": command, "image": image or spec.image}
    return Cause(next(matching, says.COMMAND_NOT_FOUND), params, raw)


def _working_directory(found: re.Match[str], raw: str, spec: WorkerSpec, image: str) -> Cause:
    params = {
        "working_directory": (found[1] or "").strip()[:NAME_MAX],
        "problem": found["why"].strip(),
        "image": image or spec.image,
    }
    return Cause(says.WORKING_DIRECTORY, params, raw)
