"""The image builder that is used works.

A client without a running daemon is skipped and reported before any work is done.
"""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "deploy" / "images" / "builder.sh"


def _choose(
    tmp_path: Path, programs: dict[str, bool], builder: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the script's selection with these programs, each with a daemon that responds or not."""
    for name, answers in programs.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\nexit {0 if answers or name == 'buildah' else 1}\n")
        program.chmod(0o755)
    for name in ("timeout", "bash"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    return subprocess.run(
        ["/bin/bash", "-c", f'set -euo pipefail; . {SCRIPT}; echo "${{builder[*]}}"'],
        env={**os.environ, "PATH": str(tmp_path), "BUILDER": builder},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("programs", "builder", "chosen"),
    [
        ({"docker": True, "buildah": True}, "", "docker"),
        ({"docker": False, "buildah": True}, "", "buildah"),
        ({"docker": False, "nerdctl": True, "buildah": True}, "", "nerdctl"),
        (
            {"docker": True, "buildah": True},
            "buildah --storage-driver vfs",
            "buildah --storage-driver vfs",
        ),
        ({"nerdctl": True}, "nerdctl --namespace k8s.io", "nerdctl --namespace k8s.io"),
        ({"docker": False}, "", None),
        ({"docker": False, "buildah": True}, "docker", None),
        ({}, "", None),
    ],
)
def test_the_first_one_that_works_is_chosen(
    tmp_path: Path, programs: dict[str, bool], builder: str, chosen: str | None
) -> None:
    done = _choose(tmp_path, programs, builder)
    assert (done.returncode == 0) is (chosen is not None), done.stderr
    assert done.stdout.strip() == (chosen or "")
    if chosen is None or (not builder and programs.get("docker") is False):
        assert "docker" in done.stderr
