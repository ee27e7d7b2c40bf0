"""Files of an installation and their permissions."""

import json
import os
import stat
from pathlib import Path

import pytest

from mimir.dev import clean
from mimir.dev.paths import FOLDERS, BadPlace, Places
from mimir.dev.postgres import PostgresFailed, _make_private
from mimir.dev.secrets import secrets_of, write_private
from mimir.dev.supervisor import AlreadyRuns, hold


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "var"))
    return tmp_path / "var"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_it_makes_is_private(var: Path) -> None:
    Places.from_environment()
    assert _mode(var) == 0o700
    assert {_mode(var / name) for name in FOLDERS} == {0o700}


def test_a_folder_that_was_there_keeps_its_mode(var: Path) -> None:
    var.mkdir(mode=0o755)
    var.chmod(0o755)
    Places.from_environment()
    assert _mode(var) == 0o755
    assert {_mode(var / name) for name in FOLDERS} == {0o700}


def test_a_folder_that_cannot_be_created_is_reported_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VAR_DIR", str(tmp_path / "file" / "var"))
    with pytest.raises(BadPlace, match="Set VAR_DIR"):
        Places.from_environment()


def test_secrets_are_created_once_and_are_private(var: Path) -> None:
    places = Places.from_environment()
    first = secrets_of(places)
    assert secrets_of(places) == first
    assert _mode(var / "secrets.json") == 0o600
    values = json.loads((var / "secrets.json").read_text()).values()
    assert len(set(values)) == len(values)


def test_a_secret_that_a_newer_version_needs_is_added(var: Path) -> None:
    places = Places.from_environment()
    first = secrets_of(places)
    kept = json.loads((var / "secrets.json").read_text())
    del kept["worker_key"]
    write_private(var / "secrets.json", json.dumps(kept))
    again = secrets_of(places)
    assert (again.admin_password, again.database_password) == (
        first.admin_password,
        first.database_password,
    )
    assert len(again.worker_key) >= 32


def test_a_private_file_is_private_even_where_a_killed_start_left_one(tmp_path: Path) -> None:
    left = tmp_path / "secret.new"
    left.write_text("half")
    left.chmod(0o644)
    write_private(tmp_path / "secret", "whole")
    assert (tmp_path / "secret").read_text() == "whole"
    assert _mode(tmp_path / "secret") == 0o600


def test_one_supervisor_an_installation(var: Path) -> None:
    places = Places.from_environment()
    first = hold(places.lock)
    with pytest.raises(AlreadyRuns, match=f"process {os.getpid()}"):
        hold(places.lock)
    first.close()
    hold(places.lock).close()


def test_clean_removes_the_database_too_and_the_next_one_is_another(var: Path) -> None:
    before = Places.from_environment()
    home = before.database_home
    home.mkdir(parents=True, exist_ok=True)
    (home / "data").mkdir()
    assert clean.main() == 0
    assert not home.exists()
    assert not var.exists()
    if os.geteuid() == 0:
        assert Places.from_environment().database_home != home


def test_clean_leaves_a_running_installation_alone(var: Path) -> None:
    places = Places.from_environment()
    with hold(places.lock):
        assert clean.main() == 1
    assert var.exists()


def test_a_foreign_database_folder_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "home").symlink_to(theirs)
    with pytest.raises(PostgresFailed, match="belongs to another user"):
        _make_private(tmp_path / "home", None)
