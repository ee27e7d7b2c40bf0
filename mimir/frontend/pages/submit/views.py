"""Submit form for any job type: empty, prefilled from the address, or from an earlier job.

The preview (dry run and curl command) is made here from the typed values. With JavaScript,
`static/js/submit.js` posts the form with `then=preview` and replaces the fields and `#rail`.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from mimir.frontend import schema_form
from mimir.frontend.api_client import Api, ApiError, Unavailable, api
from mimir.frontend.job_types import job_types, parameter_schema
from mimir.frontend.memory_advice import form_recommendation, used_value
from mimir.frontend.pages.jobs.present import job_title
from mimir.frontend.pages.shell import job_path, may_run, optional, page, project_path, together
from mimir.frontend.pages.submit import request_schema
from mimir.frontend.pages.submit.present import (
    dry_facts,
    offers_of,
    preselected,
    refusals,
    with_places,
)
from mimir.frontend.pages.submit.start_line import (
    memory_slider,
    start_line,
    unexplained_after,
)
from mimir.frontend.schema_form import Texts
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context

LISTED_MAX = 200  # names to choose from; with more, the user types the name
VERSIONS_MAX = 200
_LISTS = {"dataset": "datasets", "model": "models", "pipeline": "pipelines", "twin": "twins"}
_NO_TEXTS = (
    "csrfmiddlewaretoken",
    "type",
    "then",
    "use",
    "change",
    "idempotency_key",
    "shown_algorithm",
)
INVALID = (400, 413)  # status of a refusal that the user can avoid by changing the request
_OURS = ("type", "from", "patch")  # query parameters that are not parameters of the job


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def submit(request: HttpRequest, slug: str) -> HttpResponse:
    """`/projects/<slug>/jobs/new/?type=&dataset=&model=…`, or `?from=<job>&patch=<JSON>`."""
    source_id = _uuid(request.GET.get("from", ""))
    source = api(request).get(job_path(source_id)) if source_id else None
    job_type = _type(request, source)
    chosen = job_types.all()[job_type]
    texts, changed = _texts(request, job_type, source)
    errors: dict[str, str] = {}
    general: list[str] = []
    refused: ApiError | None = None
    if request.method == "POST" and not _is_preview(request):
        answer = _submitted(request, slug, job_type, texts)
        if isinstance(answer, HttpResponse):
            return answer
        refused = answer
        errors, general = refusals(job_type, texts, refused)
    got, texts = _got(request, slug, job_type, texts, refused)
    schema = with_places(request_schema.request_schema(job_type, texts), texts, got)
    fields = schema_form.fields(
        schema, texts, offers_of(job_type, texts, got), errors=errors, changed=changed
    )
    context = {
        **_shown(fields),
        "job_type": job_type,
        "kinds": _kinds(job_type),
        "heading": chosen.heading,
        "button": chosen.button,
        "faults": _faults(fields, errors),
        "general": general,
        "fault_count": len(errors) + len(general),
        "key": str(uuid.uuid4()),
        "shown_algorithm": _value_of(fields, "parameters.algorithm"),
        "source": source,
        "source_title": job_title(source) if source else "",
        "changed": changed,
        "recommended": form_recommendation(got["dry"].get("answer")),
        "dry": dry_facts(got["dry"], job_type, texts, fields),
        "start": start_line(got["dry"]),
        "slider": memory_slider(job_type, texts),
        "curl": _curl(request, slug, job_type, texts),
    }
    return page(
        request,
        "jobs/submit.html",
        context,
        project=got["project"],
        here="jobs",
        status=400 if errors or general else 200,
    )


def _curl(request: HttpRequest, slug: str, job_type: str, texts: Texts) -> str:
    """Return the command that submits the same job."""
    url = f"{request.scheme}://{request.get_host()}/api/v1/{project_path(slug, 'jobs')}"
    return request_schema.curl(url, request_schema.body_of(job_type, texts))


def _is_preview(request: HttpRequest) -> bool:
    """Whether the form is only shown again: for its fields, or with a proposed change."""
    return request.POST.get("then") == "preview" or bool({"use", "change"} & set(request.POST))


def _kinds(job_type: str) -> list[Context]:
    """Cards of the job types."""
    return [
        {
            "value": one.type,
            "icon": one.icon,
            "word": one.title,
            "does": one.summary,
            "chosen": one.type == job_type,
        }
        for one in job_types.all().values()
    ]


def _value_of(fields: list[schema_form.Field], name: str) -> str:
    return next((field.value for field in schema_form.names_of(fields) if field.name == name), "")


def _uuid(value: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(value)
    except ValueError:
        return None


def _type(request: HttpRequest, source: Mapping[str, Any] | None) -> str:
    """Job type from the form, the address or the earlier job."""
    wanted = (
        request.POST.get("type") or request.GET.get("type") or (source["type"] if source else "")
    )
    known = job_types.all()
    if not known:
        raise Unavailable("The orchestrator has not listed its job types yet.")
    return wanted if wanted in known else next(iter(known))


def _texts(
    request: HttpRequest, job_type: str, source: Mapping[str, Any] | None
) -> tuple[dict[str, list[str]], set[str]]:
    """Return the typed values and the fields that a patch changed."""
    texts: dict[str, list[str]] = {}
    changed: set[str] = set()
    if source is not None and source["type"] == job_type:
        texts, changed = request_schema.patched(
            job_type, request_schema.texts_of_job(source), request.GET.get("patch", "")
        )
    if request.method == "POST":
        lists = request.POST.lists()
        texts = {
            name: [str(one).replace("\r\n", "\n") for one in values]
            for name, values in lists
            if name not in _NO_TEXTS
        }
        if used := used_value(request.POST.get("use", "")):
            texts[used[0]] = [used[1]]
        texts = request_schema.settled(job_type, texts, request.POST.get("shown_algorithm", ""))
        change = request.POST.get("change", "")
        return request_schema.patched(job_type, texts, change)[0], changed
    for name, values in request.GET.lists():
        if name.startswith("parameters."):
            texts[name] = [str(one) for one in values]
        elif name in parameter_schema(job_type)["properties"] and name not in _OURS:
            texts[f"parameters.{name}"] = [str(one) for one in values]
    return texts, changed


def _submitted(
    request: HttpRequest, slug: str, job_type: str, texts: Texts
) -> HttpResponse | ApiError:
    """Redirect to the new job, or return the API's refusal."""
    key = request.POST.get("idempotency_key", "")
    headers = {
        "Idempotency-Key": key
        if 1 <= len(key) <= 200 and key.isascii() and key.isprintable()
        else str(uuid.uuid4())
    }
    try:
        job = api(request).post(
            project_path(slug, "jobs"), request_schema.body_of(job_type, texts), headers=headers
        )
    except ApiError as error:
        if error.status not in (400, 409, 413, 429):
            raise
        return error
    return HttpResponseRedirect(f"/{job_path(job['id'])}")


def _got(
    request: HttpRequest, slug: str, job_type: str, texts: Texts, refused: ApiError | None
) -> tuple[Context, dict[str, list[str]]]:
    """Return the answers of the page's API calls, and the texts with preselected values.

    The dry run uses the returned texts. `refused`: the refusal of the request just submitted, which
    replaces the dry run.
    """
    calls = _calls(slug, job_type, texts)
    if refused is None:
        calls["dry"] = _dry_call(slug, job_type, texts)
    got = together(request, **calls)
    shown = preselected(job_type, texts, got)
    if refused is not None:
        got["dry"] = {"invalid": refused.status in INVALID}
    elif shown != texts:
        got |= together(request, dry=_dry_call(slug, job_type, shown))
    if not may_run(got["project"]):
        got["dry"] = {}
    return got, shown


def _calls(slug: str, job_type: str, texts: Texts) -> dict[str, Callable[[Api], Any]]:
    """API calls of the page, without the dry run."""
    properties = parameter_schema(job_type)["properties"]
    formats = {str(one.get("format")) for one in properties.values()} & set(_LISTS)
    calls: dict[str, Callable[[Api], Any]] = {
        "project": lambda client: client.get(project_path(slug))
    }
    calls["places"] = optional(_list(slug, "clusters"), {"results": [], "next": None})
    for name in sorted(formats):
        calls[name] = _list(slug, _LISTS[name])
    dataset, twin = (
        schema_form.given(texts, "parameters.dataset"),
        schema_form.given(texts, "parameters.twin"),
    )
    if (
        dataset
        and "dataset" in formats
        and properties.get("version", {}).get("x-of") == "dataset"
        and texts.get("parameters.version", [""]) != [""]
    ):
        calls["versions"] = _or_nothing(
            lambda client: client.get(
                project_path(slug, "datasets", dataset), {"limit": VERSIONS_MAX}
            )
        )
    if twin and "twin" in formats:
        calls["definition"] = _or_nothing(
            lambda client: client.get(project_path(slug, "twins", twin))
        )
    return calls


def _dry_call(slug: str, job_type: str, texts: Texts) -> Callable[[Api], Any]:
    """Return the call of a dry run. Without a required parameter it yields {"lacks": True}."""
    required = parameter_schema(job_type)["required"]
    if not all(schema_form.given(texts, f"parameters.{name}") for name in required):
        return lambda client: {"lacks": True}
    body = request_schema.body_of(job_type, texts)
    return lambda client: _dry_run(client, slug, body)


def _list(slug: str, name: str) -> Callable[[Api], Any]:
    return lambda client: client.get(project_path(slug, name), {"limit": LISTED_MAX})


def _or_nothing(call: Callable[[Api], Any]) -> Callable[[Api], Any]:
    """Return a call that yields {} on 404: the typed name does not exist."""

    def guarded(client: Api) -> Any:
        try:
            return call(client)
        except ApiError as error:
            if error.status != 404:
                raise
            return {}

    return guarded


def _dry_run(client: Api, slug: str, body: Mapping[str, Any]) -> Context:
    """Send a dry run: {"answer"} or {"refused", "invalid"}; {} if the request was not checked.

    {"answer", "unexplained"}: the expected start is missing, see `start_line`.
    """
    path = project_path(slug, "jobs")
    try:
        return {"answer": client.post(f"{path}?explain=1", body)}
    except ApiError as error:
        if (unexplained := unexplained_after(error)) is None:
            return _refused(error)
    try:
        return {"answer": client.post(f"{path}?dry_run=1", body), "unexplained": unexplained}
    except ApiError as error:
        return _refused(error)


def _refused(error: ApiError) -> Context:
    """Return a refusal that the form shows; {} without permission or in an archived project.

    Raises: other errors.
    """
    if isinstance(error, Unavailable) or error.status not in (400, 403, 409, 413, 429):
        raise error
    if error.status in (403, 409):
        return {}
    return {"refused": error, "invalid": error.status in INVALID}


def _shown(fields: list[schema_form.Field]) -> Context:
    """Group the fields by section of the form."""
    by_name = {field.name: field for field in fields}
    parameters = by_name["parameters"].fields
    folded = [field for field in parameters if field.advanced]
    common = [field for field in fields if field.advanced]
    return {
        "fields": [field for field in parameters if not field.advanced],
        "folded": folded,
        "folded_summary": schema_form.summary(folded) if folded else "",
        "folded_open": any(field.opened for field in folded),
        "name": by_name["name"],
        "resources": by_name["resources"],
        "common": common,
        "common_summary": schema_form.summary(common),
        "common_open": any(
            field.opened or (field.value and field.value != field.default) for field in common
        ),
    }


def _faults(fields: list[schema_form.Field], errors: Mapping[str, str]) -> list[dict[str, str]]:
    """Messages at fields, for the summary above the form."""
    titles = {field.name: field.title for field in schema_form.names_of(fields)}
    return [
        {"name": name, "title": titles.get(name, name), "message": message}
        for name, message in errors.items()
    ]
