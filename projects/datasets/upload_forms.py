"""Reading options of a multipart form, in which every field is text."""

import json
from collections.abc import Mapping
from typing import Any

from mimir.api.parsers import check_json
from mimir.lib.errors import Invalid
from mimir.lib.reading.options import OPTION_NAMES, ReadOptions
from projects.datasets.uploads_write import read_options

_JSON = {"types": "object", "sheets": "list"}  # options that a form sends as JSON


def form_options(body: Mapping[str, Any]) -> ReadOptions:
    """Return the options among the form fields; an empty field is detected. Raises: Invalid."""
    given = {name: body[name] for name in OPTION_NAMES if body.get(name) not in (None, "")}
    for name, kind in _JSON.items():
        if name in given:
            try:
                given[name] = json.loads(given[name])
            except (ValueError, RecursionError) as error:
                raise Invalid(
                    f"{name}: must be a JSON {kind}.", detail={name: f"must be a JSON {kind}"}
                ) from error
            check_json({name: given[name]})
    return read_options(given)
