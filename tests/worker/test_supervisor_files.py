"""Inputs and delivered files of a real worker: sizes, broken downloads, links and names."""

import pytest

from tests.worker.faulty import Start, text_of

pytestmark = pytest.mark.timeout(90)


def test_names_that_json_cannot_hold_do_not_fail_a_report(start: Start) -> None:
    """The name of the file has bytes that are not UTF-8."""
    worker = start(
        r"printf x > outputs/$(printf 'a\377b'); mkfifo outputs/pipe; ln -s /etc/passwd "
        r"outputs/link"
    )
    assert worker.end() == 0
    assert worker.orchestrator.artifacts == {"a_b": b"x"}
    assert "outputs/pipe is not a regular file" in text_of(worker.orchestrator.log)
    assert "outputs/link is not a regular file" in text_of(worker.orchestrator.log)


def test_a_file_that_claims_any_size_is_refused_before_it_is_read(start: Start) -> None:
    worker = start("truncate -s 100G outputs/sparse")
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["reason"] == "artifact_limit_exceeded"
    assert worker.orchestrator.artifacts == {}


def test_an_input_that_breaks_off_is_fetched_again_and_never_taken_for_whole(start: Start) -> None:
    table = b"n\n" + b"".join(b"%d\n" % number for number in range(1000))
    worker = start("true", table=table, prelude="import time; time.sleep(0.5)")
    worker.orchestrator.cuts = 2
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["status"] == "succeeded", accepted["message"]
    assert worker.orchestrator.cuts == 0
    assert [step["rows"] for step in accepted["result"]["steps"]] == [1000, None]


def test_a_disk_too_small_for_an_input_is_reported_at_once(start: Start) -> None:
    prelude = (
        "import io\nfrom pathlib import Path\nreal = Path.open\n"
        "class Full(io.BytesIO):\n    def write(self, data): raise OSError(28, 'No space left on "
        "device')\n"
        "def opened(self, *rest, **named): return Full() if self.parent.name == 'fetched' else "
        "real(self, *rest, **named)\nPath.open = opened"
    )
    worker = start("true", table=b"n\n1\n", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["reason"] == "disk_full"
    assert "No space left on device" in accepted["message"]


def test_a_file_that_shrinks_while_it_is_delivered_fails_its_step_and_hangs_nobody(
    start: Start,
) -> None:
    """An orphaned process continues to write."""
    prelude = (
        "import os, jobs.worker.transfers as t\nreal = t._digest\n"
        "def digest(file):\n    found = real(file)\n    "
        "os.truncate(f'/proc/self/fd/{file.fileno()}', 10)\n    return found\nt._digest = digest"
    )
    worker = start("head -c 100000 /dev/zero > outputs/x", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (
        accepted["reason"],
        "the file became shorter during the upload" in accepted["message"],
    ) == (
        "workload_failed",
        True,
    )


def test_a_link_put_in_the_place_of_a_file_gives_nothing_of_the_supervisors_away(
    start: Start,
) -> None:
    """After the check and before the upload, the folder becomes a link to files outside the job."""
    prelude = (
        "import os, shutil\nfrom jobs.worker.transfers import Transfers\nreal = "
        "Transfers._deliver\n"
        "def swapped(self, call):\n    folder = os.path.dirname(call['artifact'])\n    "
        "shutil.rmtree(folder)\n"
        "    os.symlink('/etc', folder)\n    return real(self, call)\nTransfers._deliver = swapped"
    )
    worker = start("mkdir outputs/a; echo x > outputs/a/passwd", prelude=prelude)
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert (accepted["status"], "no longer a file of this job" in accepted["message"]) == (
        "failed",
        True,
    )
    assert worker.orchestrator.artifacts == {}


def test_names_of_tables_in_a_claim_may_be_as_long_as_they_are(start: Start) -> None:
    """Wide tables make the claim larger than the limit for messages of user code."""
    worker = start("true", table=b"n\n1\n", prelude="import time; time.sleep(0.5)")
    schema = [{"name": "x" * 200, "type": "BIGINT"}] * 8000
    worker.orchestrator.claim["inputs"].append(
        {
            "name": "wide",
            "kind": "dataset",
            "dataset": "w",
            "version": 1,
            "format": "csv",
            "schema": schema,
        }
    )
    assert worker.end() == 0
    accepted = worker.orchestrator.accepted
    assert accepted is not None
    assert accepted["status"] == "succeeded", accepted["message"]
