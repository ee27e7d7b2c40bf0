"""Actions on dataset versions: make current, delete a version, delete the dataset."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from mimir.frontend.api_client import Api, ApiError, api
from mimir.frontend.forms import Form
from mimir.frontend.pages.shell import project_path
from mimir.frontend.template_context import Context

NOTHING: Context = {
    "column_changes": [],
    "compared_with": None,
    "uses": [],
    "warnings": [],
}  # shown when the API call fails


def change(request: HttpRequest, slug: str, name: str, form: Form) -> HttpResponse | None:
    """Carry out the pressed button (`make_current`, `delete_version` or `delete_dataset`).

    Returns the redirect; None with the reason in `form` if the API refuses.
    """
    path = project_path(slug, "datasets", name)
    try:
        target = _send(api(request), request, path)
    except ApiError as error:
        if error.status not in (404, 409, 412):
            raise
        form.general.append(error.message)
        return None
    return HttpResponseRedirect(
        f"/{project_path(slug, 'datasets')}" if target is None else f"/{path}{target}"
    )


def _send(client: Api, request: HttpRequest, path: str) -> str | None:
    """Send the action. Returns the page to show, relative to `path`; None for the dataset list."""
    current, version = request.POST.get("make_current", ""), request.POST.get("delete_version", "")
    if current.isdigit():
        client.patch(path, {"current_version": int(current)})
        return "?tab=versions"
    if version.isdigit():
        client.delete(f"{path}versions/{int(version)}/")
        return "?tab=versions"
    if request.POST.get("delete_dataset"):
        client.delete(path)
        return None
    return ""
