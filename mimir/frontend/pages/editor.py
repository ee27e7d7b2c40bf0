"""Editor of a JSON definition, shared by the pages of pipelines and twins."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from mimir.frontend.api_client import ApiError
from mimir.frontend.forms import Form
from mimir.frontend.template_context import Context


def written(definition: object) -> str:
    """Format a definition for editing."""
    return json.dumps(definition, indent=2, ensure_ascii=False)


def read(request: HttpRequest, form: Form) -> Any:
    """Parse the posted definition and keep its text in `form`.

    Returns None and adds an error if it is not valid JSON.
    """
    form.values["definition"] = request.POST.get("definition", "").replace("\r\n", "\n")
    try:
        return json.loads(form.value("definition"))
    except ValueError as error:
        form.errors["definition"] = f"Invalid JSON: {error}."
    return None


def faults(form: Form) -> list[dict[str, str]]:
    """List the errors of the definition: {"path" in it, "message"}."""
    return [
        {"path": name.removeprefix("definition").removeprefix("."), "message": message}
        for name, message in form.errors.items()
        if name.startswith("definition")
    ]


def refused(form: Form, error: ApiError, fields: Mapping[str, str]) -> None:
    """Put the API's errors of the definition at their paths, others at the form's fields."""
    found = {
        path: message
        for path, message in error.detail.items()
        if path.startswith("definition") and isinstance(message, str)
    }
    form.errors |= found
    if not found or len(found) < len(error.detail):
        rest = {path: text for path, text in error.detail.items() if path not in found}
        form.refused(ApiError(error.status, error.code, error.message, rest), fields)


def diff(first: Any, second: Any) -> Context:
    """Compare two definitions line by line: {"lines": [{"kind", "text"}], "added", "removed"}."""
    before, after = written(first).splitlines(), written(second).splitlines()
    lines = []
    for line in list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]:
        kind = {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "same")
        lines.append({"kind": kind, "text": "…" if kind == "place" else line})
    count = {kind: sum(line["kind"] == kind for line in lines) for kind in ("added", "removed")}
    return {"lines": lines, **count}
