"""A TypeScript client made by openapi-typescript and openapi-fetch works without an edit.

`tests/clients/typescript/client.ts`.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.stack import Stack

FOLDER = Path(__file__).parent.parent / "clients" / "typescript"


def _run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def packages() -> Path:
    """Packages pinned in package-lock.json, installed by `make test`."""
    if not (FOLDER / "node_modules" / ".package-lock.json").exists():
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=FOLDER)
    return FOLDER / "node_modules"


def test_the_client_is_generated_compiled_and_used(
    stack: Stack, packages: Path, tmp_path: Path
) -> None:
    for name in ("client.ts", "package.json", "tsconfig.json"):
        shutil.copy(FOLDER / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(packages, target_is_directory=True)
    served = stack.client.get("/api/schema/", headers={"Accept": "application/json"})
    (tmp_path / "openapi.json").write_bytes(served.content)
    programs = packages / ".bin"
    said = _run(
        str(programs / "openapi-typescript"), "openapi.json", "-o", "schema.d.ts", cwd=tmp_path
    )
    assert "warn" not in said.lower(), said
    _run(str(programs / "tsc"), "-p", ".", cwd=tmp_path)
    said = _run(
        "node",
        "out/client.js",
        cwd=tmp_path,
        API_URL=stack.described["frontend_url"],
        API_USERNAME=stack.described["username"],
        API_PASSWORD=stack.described["password"],
    )
    assert said.strip() == "ok"
