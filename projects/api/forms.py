"""Reading options of a multipart form, where every field is text."""

import json
from collections.abc import Mapping
from typing import Any

from mimir.lib.errors import Invalid
from mimir.lib.reading.options import OPTION_NAMES, ReadOptions
from projects.services.uploads import read_options


def form_options(body: Mapping[str, Any]) -> ReadOptions:
    """The options among the fields of a form; an empty field is detected. Raises: Invalid."""
    given = {name: body[name] for name in OPTION_NAMES if body.get(name) not in (None, "")}
    if "types" in given:
        try:
            given["types"] = json.loads(given["types"])
        except ValueError as error:
            raise Invalid("types: must be a JSON object.", detail={"types": "must be a JSON object"}) from error
    return read_options(given)
