"""A command or a working directory that the image does not have, or that cannot be run. Pure.

The words are those of runc, crun, containerd, CRI-O and Docker. Only what they say of the command itself is taken for the command: a runtime
reports "no such file or directory" for profiles, devices, mounts and its own sockets, too.
"""

import re
from collections.abc import Mapping

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.amounts import Asked
from jobs.diagnosis.kubernetes.values import NAME_MAX, Finding

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
    r"no command specified|exec user process caused|open executable: |cannot execute binary file|exec format error|executable file not found",
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
        r"(?:container init|container process)[^:]{0,40}[:\"\\ ]+mkdir ([^\s:]{1,512}): (?P<why>[a-z][a-z -]*)"
    ),
    re.compile(
        rf"(?:working directory|\bcwd)\b {_QUOTE}(/[^\s\"'`\\:]{{1,512}})?{_QUOTE}.{{0,40}}?(?P<why>invalid|must be|not exist|not found|denied)",
        re.I,
    ),
)


def command_finding(message: str, raw: str, asked: Asked, image: str) -> Finding | None:
    """Why the command or its working directory keeps the container from starting; None where the message is about something else."""
    directory = next(
        (found for pattern in _DIRECTORIES if (found := pattern.search(message))), None
    )
    if directory:
        return _working_directory(directory, raw, asked, image)
    named = any(pattern.search(message) for pattern in _COMMANDS) or _NO_NAME.search(message)
    stat = _STAT.search(message)
    if named or (stat and stat[1] == asked.command):
        return bad_command(message, raw, asked, image)
    return None


def bad_command(message: str, raw: str, asked: Asked, image: str) -> Finding:
    """The command cannot be run in the image."""
    found = next((match for pattern in _COMMANDS if (match := pattern.search(message))), None)
    command = (found[1] if found else asked.command)[:NAME_MAX]
    named = f"command {command}" if command else "worker's command"
    facts = {"command": command, "image": image or asked.image}
    if re.search(r"exec format error|cannot execute binary file", message, re.I):
        why, step = (
            f"the {named} is made for another processor architecture than the node's",
            "Use an image for the nodes' architecture",
        )
    elif re.search(r"permission denied|not executable|is a directory", message, re.I):
        why, step = f"the {named} may not be executed", "Make the command executable in the image"
    elif re.search(r"no command specified", message, re.I):
        why, step = "the image names no command", "Give the image a command"
    else:
        why, step = (
            f"the {named} was not found in the image",
            "Correct the command or the image (WORKER_IMAGE)",
        )
    return _finding(why, step, raw, facts)


def _working_directory(found: re.Match[str], raw: str, asked: Asked, image: str) -> Finding:
    directory = (found[1] or "").strip()[:NAME_MAX]
    why = f"its working directory{f' {directory}' if directory else ''} cannot be used ({found['why'].strip()})"
    facts = {"working_directory": directory, "image": image or asked.image}
    return _finding(why, "Correct the image or its working directory (WORKER_IMAGE)", raw, facts)


def _finding(why: str, step: str, raw: str, facts: Mapping[str, str]) -> Finding:
    return Finding(
        FailureReason.BAD_COMMAND,
        f"The worker could not be started: {why}.",
        "Its own code never ran, so there is no log. An administrator has to correct the image: retrying does not help.",
        raw,
        (step,),
        hopeless=True,
        facts=facts,
    )
