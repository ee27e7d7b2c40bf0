"""Job list of a project. Filters and the cursor of the shown page are query parameters."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from mimir.frontend.job_types import job_types, type_title
from mimir.frontend.pages.jobs.present import ENDED, job_summary
from mimir.frontend.pages.shell import cursor_of, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context
from mimir.lib.clock import utc_now

PAGE_JOBS = 50
_SEGMENTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("All", "", ()),
    ("Running", "running", ("launching", "running", "cancelling")),
    ("Waiting", "queued", ("queued",)),
    ("Failed", "failed", ("failed",)),
    ("Succeeded", "succeeded", ("succeeded",)),
    ("Cancelled", "cancelled", ("cancelled",)),
)
_SHOWN_UP_TO = 1000  # counts above are "over 1,000"


@require_GET
@signed_in
def jobs(request: HttpRequest, slug: str) -> HttpResponse:
    """`/projects/<slug>/jobs/?status=&type=&q=&label=&cursor=`."""
    statuses = [status for status in request.GET.getlist("status") if status]
    filters = {name: request.GET.get(name, "").strip() for name in ("type", "q", "label")}
    active_filters = {name: value for name, value in filters.items() if value}
    cursor = request.GET.get("cursor", "")
    requested_at = utc_now().isoformat()  # jobs created later are new to this page
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        counts=lambda client: client.get(project_path(slug, "jobs", "counts")),
        jobs=lambda client: client.get(
            project_path(slug, "jobs"),
            {
                **active_filters,
                "status": statuses or None,
                "cursor": cursor or None,
                "limit": PAGE_JOBS,
            },
        ),
    )
    following = cursor_of(got["jobs"]["next"])
    rows = [job_summary(job) for job in got["jobs"]["results"]]
    context = {
        "rows": rows,
        "groups": _groups(rows) if not statuses else [],
        "segments": _segments(statuses, active_filters, got["counts"]),
        "statuses": statuses,
        "filters": filters,
        "requested_at": requested_at,
        "types": [(name, one.title) for name, one in job_types.all().items()],
        "filtered": bool(statuses or active_filters),
        "chips": _chips(statuses, active_filters),
        "newest": _query(statuses, active_filters) if cursor else "",
        "older": _query(statuses, {**active_filters, "cursor": following}) if following else "",
        "first_page": not cursor,
        "active_jobs": sum(
            got["counts"].get(status, 0)
            for status in ("queued", "launching", "running", "cancelling")
        ),
    }
    return page(request, "jobs/list.html", context, project=got["project"], here="jobs")


def _groups(rows: list[Context]) -> list[Context]:
    """Split into unfinished and ended jobs, each newest first; no headings for one kind only."""
    moving = [row for row in rows if row["status"] not in ENDED]
    ended = [row for row in rows if row["status"] in ENDED]
    return (
        [{"word": "Now", "rows": moving}, {"word": "Ended", "rows": ended}]
        if moving and ended
        else []
    )


def _query(statuses: list[str], active_filters: Mapping[str, str]) -> str:
    return "?" + urlencode(
        [("status", status) for status in statuses] + list(active_filters.items())
    )


def _segments(
    statuses: list[str], active_filters: Mapping[str, str], counts: Mapping[str, int]
) -> list[Context]:
    segments = []
    for word, icon, wanted in _SEGMENTS:
        count = sum(counts.get(status, 0) for status in wanted)
        segments.append(
            {
                "word": word,
                "icon": icon,
                "query": _query(list(wanted), active_filters),
                "current": set(statuses) == set(wanted),
                "key": icon or "all",
                "count": ""
                if not wanted
                else f"{count:,}"
                if count <= _SHOWN_UP_TO
                else "over 1,000",
            }
        )
    return segments


def _chips(statuses: list[str], active_filters: Mapping[str, str]) -> list[dict[str, str]]:
    """Filters without a segment, each with the address of the list without it."""
    labels = {"q": "Search", "label": "Label", "type": "Type"}
    return [
        {
            "text": f"{labels[name]}: {type_title(value) if name == 'type' else value}",
            "query": _query(
                statuses, {other: text for other, text in active_filters.items() if other != name}
            ),
        }
        for name, value in active_filters.items()
    ]
