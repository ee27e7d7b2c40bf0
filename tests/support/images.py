"""Parser of the Dockerfiles.

Reads their instructions, and copies the files of this repository as they are laid out in an image.
"""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/images"
IMAGES = ("orchestrator", "frontend", "worker")


class Instruction(NamedTuple):
    """Dockerfile instruction with joined lines; `stage` counts from 1 at each FROM."""

    stage: int
    name: str
    text: str


def instructions(image: str) -> list[Instruction]:
    """Return all instructions of an image's Dockerfile."""
    lines = [
        line
        for line in (FOLDER / image / "Dockerfile").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    found, stage = [], 0
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, text = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(text.split())))
    return found


def copies(image: str) -> list[tuple[list[str], str]]:
    """Return the sources and the destination of each COPY from this repository."""
    texts = [
        each.text
        for each in instructions(image)
        if each.name == "COPY" and not each.text.startswith("--from")
    ]
    return [(text.split()[:-1], text.split()[-1]) for text in texts]


def lay_out(image: str, target: Path) -> Path:
    """Copy the files of the image's /app to `target`, except files collected or installed in the
    build.
    """
    for sources, destination in copies(image):
        if destination.startswith("/app"):
            place = target / destination.removeprefix("/app").strip("/")
            for source in sources:
                _copy(
                    ROOT / source, place / Path(source).name if destination.endswith("/") else place
                )
    for each in instructions(image):
        if each.name == "RUN":
            for removed in re.findall(r"\brm -r /app/(\S+)", each.text):
                shutil.rmtree(target / removed)
    return target


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
