"""What the parameters of each job type may be. The types' names are the API's."""

from collections.abc import Callable, Iterator
from typing import Any

from mimir.lib.schemas.pipeline import Fault

NAME_CHARACTERS_MAX = 200


def check_parameters(job_type: str, parameters: Any) -> list[Fault]:
    """Everything wrong with a request's parameters, with paths that begin with `parameters`."""
    if not isinstance(parameters, dict):
        return [Fault("parameters", "has to be an object")]
    check = _CHECKS.get(str(job_type))
    return list(check(parameters)) if check else []


def _pipeline_execution(parameters: dict[str, Any]) -> Iterator[Fault]:
    for key in sorted(parameters.keys() - {"pipeline", "version"}):
        yield Fault(f"parameters.{key}", "is not a parameter of pipeline_execution: use pipeline, version")
    name = parameters.get("pipeline")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARACTERS_MAX or "\x00" in name:
        yield Fault("parameters.pipeline", "has to be the name of a pipeline of this project")
    version = parameters.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= 2**31 - 1:
        yield Fault("parameters.version", "has to be a whole number from 1, or left out for the newest")


_CHECKS: dict[str, Callable[[dict[str, Any]], Iterator[Fault]]] = {"pipeline_execution": _pipeline_execution}
