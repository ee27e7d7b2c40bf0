"""Reads the settings of one role from the environment, from files and from the YAML file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mimir.env import parse
from mimir.env.consistency import conflicts
from mimir.env.quotas import Quotas
from mimir.env.scheduling import Scheduling
from mimir.env.setting import Role
from mimir.env.storage import Storage
from mimir.env.web import Web
from mimir.env.workers import Workers

_TUPLES = (
    parse.worker_keys,
    parse.optional_keys,
    parse.cidrs,
    parse.names,
    parse.plain_connections,
)


@dataclass(frozen=True)
class Env(Web, Storage, Workers, Scheduling, Quotas):
    """The settings. Those that this role does not read hold their default, or an empty value."""


class BadEnvironment(Exception):
    """The settings are not valid. `faults`: one message for each invalid setting."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("Invalid settings:\n" + "\n".join(f"  - {fault}" for fault in faults))


def demand_frontend_keys(env: Env) -> None:
    """Raise BadEnvironment without FRONTEND_KEYS.

    Only the two server processes call it: commands, loops and image builds start without keys.
    """
    if not env.frontend_keys:
        raise BadEnvironment(
            [
                "FRONTEND_KEYS is not set. The frontend signs its requests to the orchestrator"
                " with it: set the same value for both"
            ]
        )


def load(role: Role, source: Mapping[str, str] | None = None) -> Env:
    """Return the settings of `role` from `source` (default: this process's environment).

    Raises: BadEnvironment, with all faults.
    """
    environ = os.environ if source is None else source
    faults: list[str] = []
    config = _config_file(environ, faults)
    values: dict[str, Any] = {}
    for setting in fields(Env):
        values[setting.name] = _value(
            setting.name,
            setting.metadata,
            environ,
            config,
            faults,
            required=role in setting.metadata["roles"],
        )
    faults.extend(conflicts(role, values, environ))
    if faults:
        raise BadEnvironment(faults)
    return Env(**values)


def _config_file(environ: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """The keys and values of the YAML file, as text.

    The file must exist only if MIMIR_CONFIG names it.
    """
    named = environ.get("MIMIR_CONFIG")
    path = Path(named or "/app/config/config.yaml")
    if not named and not path.exists():
        return {}
    import yaml  # the frontend has no such file, and starts faster without the import

    try:
        loaded = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        faults.append(f"MIMIR_CONFIG: the file {path} cannot be read ({type(error).__name__})")
        return {}
    if not isinstance(loaded, dict):
        faults.append(f"MIMIR_CONFIG: the file {path} must contain keys with values")
        return {}
    known = {setting.name for setting in fields(Env)}
    faults.extend(
        f"MIMIR_CONFIG: the file {path} has an unknown key {key}"
        for key in loaded
        if str(key) not in known
    )
    return {str(key): _yaml_text(value) for key, value in loaded.items() if value is not None}


def _yaml_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(
    name: str,
    meta: Mapping[str, Any],
    environ: Mapping[str, str],
    config: Mapping[str, str],
    faults: list[str],
    *,
    required: bool,
) -> Any:
    """The value of one setting; an empty value, with a message in `faults`, for an invalid one."""
    variable = name.upper()
    try:
        text = _given(variable, environ, config.get(name)) if required else None
        if text is None:
            text = meta["default"]
        if text is not None:
            return meta["parse"](text)
        if required:
            faults.append(f"{variable} is not set: {meta['doc'].rstrip('.')}")
    except parse.Unacceptable as error:
        separator = "" if str(error).startswith("_FILE") else " "
        faults.append(f"{variable}{separator}{error}")
    return () if meta["parse"] in _TUPLES else ""


def _given(variable: str, environ: Mapping[str, str], configured: str | None) -> str | None:
    """The text of a setting from the first source that has it.

    Raises: Unacceptable for a file that cannot be read.
    """
    text = environ.get(variable)
    path = environ.get(f"{variable}_FILE")
    if text is not None or not path:
        return configured if text is None else text
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise parse.Unacceptable(f"_FILE: the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise parse.Unacceptable("_FILE: the file is not text") from None
