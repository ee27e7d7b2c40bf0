"""`make fuzz`: schemathesis as each role against a new installation, or with URL and TOKEN against
a running one.

Exit code 1 when a fault was found.
"""

import os
import shlex
import sys
import tempfile
from pathlib import Path

import httpx

from tests.fuzz.content import ROLES, Account, prepare
from tests.fuzz.run import Row, fuzzed, table
from tests.support.stack import running

SECONDS = 300
# With only one token, these would revoke it.
_ENDS_ITS_TOKEN = ("session_delete", "sessions_delete", "sessions_end", "tokens_delete")


def main(more: list[str]) -> int:
    """Run and print the table. `more`: further arguments of schemathesis."""
    seconds = int(os.environ.get("FOR") or SECONDS)
    url, token = os.environ.get("URL", ""), os.environ.get("TOKEN", "")
    if bool(url) != bool(token):
        print(
            "URL and TOKEN belong together: the address of a running installation, and an API "
            "token of it."
        )
        return 2
    with tempfile.TemporaryDirectory(prefix="mimir-fuzz-") as temporary:
        rows = (
            _there(url.rstrip("/"), token, seconds, Path(temporary), more)
            if url
            else _own(seconds, Path(temporary), more)
        )
    print(table(rows))
    return int(not all(row.is_good for row in rows))


def _own(seconds: int, folder: Path, more: list[str]) -> list[Row]:
    """Run as each role against a new installation."""
    rows: list[Row] = []
    for stack in running(folder / "installation", CAPACITY_JOBS="1"):
        content = prepare(stack)
        for role in (os.environ.get("FUZZ_ROLES") or ",".join(ROLES)).split(","):
            [account] = [account for account in content.accounts if account.role == role]
            url = stack.described["frontend_url"]
            rows.append(
                fuzzed(
                    url, account, content.job_ids, seconds=seconds, folder=folder / role, more=more
                )
            )
    return rows


def _there(url: str, token: str, seconds: int, folder: Path, more: list[str]) -> list[Row]:
    """Run once against a running installation."""
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
    ) as client:
        projects = client.get("/api/v1/projects/").raise_for_status().json()["results"]
        jobs = [
            job["id"]
            for project in projects[:3]
            for job in client.get(f"/api/v1/projects/{project['slug']}/jobs/").json()["results"]
        ]
    left_out = [
        argument for name in _ENDS_ITS_TOKEN for argument in ("--exclude-operation-id", name)
    ]
    account = Account(role="token", token=token, token_of_second=token)
    return [
        fuzzed(url, account, jobs, seconds=seconds, folder=folder / "run", more=[*left_out, *more])
    ]


if __name__ == "__main__":
    sys.exit(main(shlex.split(os.environ.get("ARGS", "")) + sys.argv[1:]))
