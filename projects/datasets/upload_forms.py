"""Reading options of a multipart form, in which every field is text."""

import json

from django.core.files.uploadedfile import TemporaryUploadedFile

from mimir.api.parsers import check_json
from mimir.lib.errors import Invalid
from mimir.lib.reading.options import OPTION_NAMES, ReadOptions
from projects.datasets.upload_shapes import FormOptions
from projects.datasets.uploads_write import UploadedFile, read_options

_JSON = {"types": "object", "sheets": "list"}  # options that a form sends as JSON


def form_options(body: FormOptions) -> ReadOptions:
    """Return the options of a form. Options of empty fields are detected. Raises: Invalid."""
    fields = dict(body)
    given = {name: fields[name] for name in OPTION_NAMES if fields.get(name) not in (None, "")}
    for name, kind in _JSON.items():
        if name in given:
            try:
                given[name] = json.loads(str(given[name]))
            except (ValueError, RecursionError) as error:
                raise Invalid(
                    f"{name}: must be a JSON {kind}.", detail={name: f"must be a JSON {kind}"}
                ) from error
            check_json({name: given[name]})
    return read_options(given)


def form_file(file: TemporaryUploadedFile) -> UploadedFile:
    """Return the file of a form. The parser has stored it on this machine."""
    content, size = file.file, file.size
    assert content is not None
    assert size is not None
    return UploadedFile(file.name or "", content, file.temporary_file_path(), size)
