"""Import an uploaded file, step 2 of 2: reading options, preview, target dataset."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from mimir.frontend.api_client import UPLOAD_TIMEOUTS, Api, ApiError, api
from mimir.frontend.api_types.upload_shapes import StagedUpload
from mimir.frontend.forms import Form
from mimir.frontend.pages.imports.form import form_of
from mimir.frontend.pages.imports.option_fields import with_labels
from mimir.frontend.pages.imports.posted_options import options_of
from mimir.frontend.pages.imports.sheet_fields import Sheets, sheets_of
from mimir.frontend.pages.shell import optional, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context
from mimir.lib.schemas.column_changes import ChangeKind, column_changes

REPLACE, APPEND = "replace", "append"  # effect on the rows of the current version
_FIELDS = {"name": "name"}
_REFUSED = (400, 404, 409, 413)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def dataset_import(request: HttpRequest, slug: str, upload_id: UUID) -> HttpResponse:
    """`/projects/<slug>/datasets/import/<upload>/?name=`.

    POST with `then`: read (again), show (without reading), import, cancel. `sample=1` reads only
    the beginning of the file: the script requests that first, then all rows.
    """
    path = project_path(slug, "uploads", str(upload_id))
    form = Form({"name": request.GET.get("name", ""), "how": REPLACE})
    current = True
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        upload=lambda client: client.get(path),
    )
    upload: StagedUpload = got["upload"]
    errors, chosen_types = dict[str, str](), dict[str, str]()
    sheets = sheets_of(upload)
    then = request.POST.get("then", "read")
    if request.method == "POST" and then == "cancel":
        api(request).delete(path)
        return HttpResponseRedirect(f"/{project_path(slug, 'datasets')}")
    if request.method == "POST":
        form = Form.posted(request.POST, "name", "how", "append_to")
        current = bool(request.POST.get("make_current"))
        client = api(request)
        sheets, chosen_types = sheets_of(upload, request.POST), _chosen_types(request)
        if then != "show":
            sample = then == "import" or "sample" in request.POST
            upload, errors = _read(client, request, path, upload, sheets, sample=sample)
            sheets.known = upload["sheets"]
        if then == "import" and not (errors or upload["fault"]):
            accept = _accept_sheets if sheets.each else _accept
            done = accept(client, slug, path, form, sheets, current=current, types=chosen_types)
            if done is not None:
                return done
        if not sheets.chosen:
            sheets = sheets_of(upload)
    context = {
        **_presented(request, upload, errors, sheets, chosen_types),
        **_choices(form, sheets, current=current),
        **_target(request, slug, "" if sheets.each else form.value("name"), upload),
    }
    return page(
        request,
        "datasets/import.html",
        context,
        project=got["project"],
        here="datasets",
        status=400 if form.bad or errors else 200,
    )


def _choices(form: Form, sheets: Sheets, *, current: bool) -> Context:
    """Target dataset and what happens to its current version."""
    appends = form.value("how") == APPEND and not sheets.each
    return {"form": form, "make_current": current, "appends": appends}


def _presented(
    request: HttpRequest,
    upload: StagedUpload,
    errors: dict[str, str],
    sheets: Sheets,
    chosen_types: dict[str, str],
) -> Context:
    """Option fields, preview and sheets of the form."""
    return {
        "upload": upload,
        "reading": upload["reading"],
        "options": form_of(upload, errors, request.POST),
        "sheets": sheets,
        "kept": _not_shown(chosen_types, upload) if sheets.each else {},
        "faults": [with_labels(fault) for fault in errors.values()],
        "as_in_file": request.POST.get("view") == "file",
    }


def _chosen_types(request: HttpRequest) -> dict[str, str]:
    """Column types chosen for any sheet."""
    chosen_types = dict(
        zip(request.POST.getlist("kept_column"), request.POST.getlist("kept_type"), strict=False)
    )
    chosen_types |= dict(
        zip(request.POST.getlist("column"), request.POST.getlist("type"), strict=False)
    )
    return {name: kind for name, kind in chosen_types.items() if kind}


def _column_names(upload: StagedUpload) -> set[str]:
    reading = upload["reading"]
    return {column["name"] for column in reading["columns"]} if reading else set()


def _not_shown(chosen_types: dict[str, str], upload: StagedUpload) -> dict[str, str]:
    """Chosen types of columns that the shown sheet does not have."""
    shown = _column_names(upload) | set(upload["options"].get("types", {}))
    return {name: kind for name, kind in chosen_types.items() if name not in shown}


def _read(
    client: Api,
    request: HttpRequest,
    path: str,
    upload: StagedUpload,
    sheets: Sheets,
    *,
    sample: bool,
) -> tuple[StagedUpload, dict[str, str]]:
    """Read the upload again if options changed or not all rows were read.

    Returns the upload, and messages by option if the API refuses.
    """
    names, kinds = request.POST.getlist("column"), request.POST.getlist("type")
    posted = {
        name: value for name, value in request.POST.items() if name not in ("sheet", "sheets")
    }
    given = options_of({**posted, **sheets.options()}, names, kinds, upload["options"])
    complete = upload["reading"] is None or upload["reading"]["complete"]
    if given == upload["options"] and (sample or complete):
        return upload, {}
    try:
        upload = client.patch(path, {"options": given, "sample": sample}, timeout=UPLOAD_TIMEOUTS)
        columns = _column_names(upload)
        types = {name: kind for name, kind in _chosen_types(request).items() if name in columns}
        if (
            sheets.each and types and "types" not in given
        ):  # another sheet with columns of the same names
            upload = client.patch(
                path,
                {"options": {**given, "types": types}, "sample": sample},
                timeout=UPLOAD_TIMEOUTS,
            )
        return upload, {}
    except ApiError as error:
        if error.status != 400:
            raise
        found = {
            name.removeprefix("options."): str(message) for name, message in error.detail.items()
        }
        return upload, found or {"format": error.message}


def _accept_sheets(
    client: Api,
    slug: str,
    path: str,
    form: Form,
    sheets: Sheets,
    *,
    current: bool,
    types: dict[str, str],
) -> HttpResponse | None:
    """Create a dataset for each selected sheet. None if the form must be shown again."""
    for target in sheets.targets:
        if not target.field.value.strip():
            form.errors[target.field.name] = "Enter a dataset name, for example trips."
    if not form.bad:
        try:
            body = {"datasets": sheets.datasets(), "types": types, "make_current": current}
            client.post(f"{path}accept-sheets/", body, timeout=UPLOAD_TIMEOUTS)
            return HttpResponseRedirect(f"/{project_path(slug, 'datasets')}")
        except ApiError as error:
            if error.status not in _REFUSED:
                raise
            if "datasets" in error.detail:
                form.general.append(error.message)
            else:
                form.refused(
                    error,
                    {
                        f"datasets.{index}.name": target.field.name
                        for index, target in enumerate(sheets.targets)
                    },
                )
    sheets.errors = form.errors
    return None


def _accept(
    client: Api,
    slug: str,
    path: str,
    form: Form,
    sheets: Sheets,
    *,
    current: bool,
    types: dict[str, str],
) -> HttpResponse | None:
    """Create the new version. None if the form must be shown again."""
    form.require("name", "Enter a dataset name, for example trips.")
    if form.bad:
        return None
    try:
        body = {"name": form.value("name"), "make_current": current, "append_to": _append_to(form)}
        accepted = client.post(f"{path}accept/", body, timeout=UPLOAD_TIMEOUTS)
    except ApiError as error:
        if error.status not in _REFUSED:
            raise
        if "append_to" in error.detail:
            form.general.append(error.message)
        else:
            form.refused(error, _FIELDS)
        return None
    return HttpResponseRedirect(
        f"/{project_path(slug, 'datasets', accepted['name'])}?version={accepted['version']['number']}"  # noqa: E501
    )


def _append_to(form: Form) -> int | None:
    """Return the version to append to: the one that the form showed. None: replace the rows."""
    number = form.value("append_to")
    return (
        int(number)
        if form.value("how") == APPEND and number.isascii() and number.isdigit()
        else None
    )


def _target(request: HttpRequest, slug: str, name: str, upload: StagedUpload) -> Context:
    """Compare the import with the current version of the target dataset.

    `unlike`: column differences that prevent appending. A different type does not: appended rows
    are converted.
    """
    if not name:
        return {"present": None}
    read = optional(
        lambda client: client.get(project_path(slug, "datasets", name, "versions", "latest")), {}
    )
    present = read(api(request))
    if not present:
        return {"present": None}
    reading = upload["reading"]
    columns = (
        [{"name": one["name"], "type": one["type"]} for one in reading["columns"]]
        if reading
        else []
    )
    changes = column_changes(present["schema"], columns) if columns else []
    unlike = [change for change in changes if change.kind is not ChangeKind.TYPE]
    return {
        "present": present,
        "changes": changes,
        "breaking": any(change.before for change in changes),
        "unlike": unlike,
        "total": present["row_count"] + (reading["row_count"] if reading else 0),
    }
