"""Run schemathesis with one account and read its report."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mimir.dev.paths import ROOT
from tests.fuzz.content import Account

HERE = Path(__file__).parent
SCHEMATHESIS = ROOT / ".venv/schemathesis/bin/schemathesis"
SPARE_SECONDS = 180  # added to the limit, because a started phase is completed
_SERVER_ERROR = "ServerError"


@dataclass(frozen=True)
class Row:
    """One run: the number of tested `cases`, and the `violations` by kind."""

    role: str
    cases: int
    server_errors: int
    violations: dict[str, int]
    seconds: float
    is_whole: bool

    @property
    def is_good(self) -> bool:
        """Whether the run completed without findings."""
        return self.is_whole and self.cases > 0 and not self.violations and not self.server_errors


def fuzzed(
    url: str,
    account: Account,
    job_ids: Iterable[str],
    *,
    seconds: int,
    folder: Path,
    more: Sequence[str] = (),
) -> Row:
    """Run all phases for about `seconds`; schemathesis prints its findings."""
    folder.mkdir()
    for name in ("schemathesis.toml", "hooks.py"):
        shutil.copy(HERE / name, folder)
    (folder / "jobs.dict").write_text(
        "".join(f'"{job_id}"\n' for job_id in job_ids) or f'"{uuid.uuid4()}"\n'
    )
    schema = folder / "schema.json"
    headers = {"Authorization": f"Bearer {account.token}"}
    schema.write_bytes(
        httpx.get(f"{url}/api/schema/?format=json", headers=headers, timeout=60, trust_env=False)
        .raise_for_status()
        .content
    )
    report = folder / "report.json"
    command = [
        str(SCHEMATHESIS), "--config-file", "schemathesis.toml", "run", schema.name, "--url", url, "--max-time", str(seconds),  # noqa: E501
        "--checks", "all", "--report", "json", "--report-json-path", report.name, *more,
    ]  # fmt: skip
    environment = {
        **os.environ,
        "MIMIR_FUZZ_TOKEN": account.token,
        "MIMIR_FUZZ_TOKEN_OF_SECOND": account.token_of_second,
    }
    done = subprocess.run(
        ["nice", "-n", "10", *command],
        cwd=folder,
        env=environment,
        timeout=seconds + SPARE_SECONDS,
        check=False,
    )
    return row_of(
        account.role, json.loads(report.read_text()) if report.exists() else {}, done.returncode
    )


def row_of(role: str, report: dict[str, Any], returncode: int) -> Row:
    """Return the row of a run from schemathesis's report; empty if there is none."""
    found = {failure["title"]: int(failure["count"]) for failure in report.get("failures", [])}
    if report.get("errors"):
        found["errors of schemathesis"] = len(report["errors"])
    if returncode and not found:
        found[f"exit code {returncode}"] = 1
    server_errors = sum(
        int(failure["count"])
        for failure in report.get("failures", [])
        if failure["type"] == _SERVER_ERROR
    )
    cases = int(report.get("test_cases", {}).get("generated", 0))
    return Row(
        role,
        cases,
        server_errors,
        found,
        float(report.get("running_time", 0.0)),
        bool(report.get("complete")),
    )


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text for a terminal."""
    lines = [f"{'role':12}{'cases':>8}{'5xx':>6}{'violations':>12}{'seconds':>9}  kinds"]
    for row in rows:
        kinds = "; ".join(f"{count} x {kind}" for kind, count in row.violations.items()) or (
            "none" if row.is_good else "incomplete run"
        )
        lines.append(
            f"{row.role:12}{row.cases:>8}{row.server_errors:>6}{sum(row.violations.values()):>12}{row.seconds:>9.0f} "  # noqa: E501
            ""
            ""
            ""
            ""
            ""
            f" {kinds}"
        )
    total = [
        sum(row.cases for row in rows),
        sum(row.server_errors for row in rows),
        sum(sum(row.violations.values()) for row in rows),
    ]
    lines.append(
        f"{'all':12}{total[0]:>8}{total[1]:>6}{total[2]:>12}{sum(row.seconds for row in rows):>9.0f}"  # noqa: E501
    )
    return "\n".join(lines)
