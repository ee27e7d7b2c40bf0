"""`read`: a version of a dataset, or a file at a URL, as a table."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.parameters import NAME_PATTERN, NAME_RULE
from mimir.lib.schemas.steptype import Columns, Makes, Options, StepType, fields

FORMATS = ("csv", "jsonl", "json", "parquet", "arrow", "excel")
URL_CHARACTERS_MAX = 4000


def _check(options: Options, path: str) -> Iterator[FieldError]:
    if ("dataset" in options) == ("url" in options):
        yield FieldError(path, "must have either dataset or url")
        return
    if "dataset" in options:
        if "format" in options:
            yield FieldError(
                f"{path}.format", "is only for a url. Remove it: a dataset has a format"
            )
        return
    fault = _url_fault(options["url"])
    if fault:
        yield FieldError(f"{path}.url", fault)
    if "version" in options:
        yield FieldError(
            f"{path}.version", "is only for a dataset. Remove it: a url has no versions"
        )


def _url_fault(url: str) -> str:
    if len(url) > URL_CHARACTERS_MAX or any(
        character.isspace() or character < " " for character in url
    ):
        return f"must be a URL of at most {URL_CHARACTERS_MAX} characters without white space"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "must be a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with http:// or https:// and name a host"
    if parts.username or parts.password:
        return "must not contain a user or a password: definitions are not secret"
    return ""


STEP = StepType(
    name="read",
    title="Read",
    help="Reads a version of a dataset, or a file at a URL, as a table.",
    position=1,
    fields=fields(
        {
            "dataset": {
                "type": "string",
                "title": "Dataset",
                "description": "The name of a dataset of this project.",
                "format": "dataset",
                "x-access": "read",
                "pattern": NAME_PATTERN,
                "x-rule": NAME_RULE,
            },
            "version": {
                "type": "integer",
                "title": "Version",
                "description": "The version of the dataset. Default: the newest at submit time.",
                "format": "version",
                "minimum": 1,
                "x-rule": "a whole number from 1, or absent for the newest version",
            },
            "url": {
                "type": "string",
                "title": "URL",
                "description": "An http or https address to read instead of a dataset.",
                "format": "uri",
                "x-rule": "a URL without white space",
            },
            "format": {
                "type": "string",
                "title": "Format",
                "description": "The format of the file at the URL. Default: detected.",
                "enum": list(FORMATS),
            },
        }
    ),
    example={"dataset": "weather"},
    makes=Makes.STEP_TABLE,
    columns=Columns.DATASET,
    check=_check,
    unchecked="reads a URL: its answer and its columns are known only in a run",
)
