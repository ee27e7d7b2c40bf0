"""State of the installation, for administrators.

`static/js/system.js` fetches the page again every few seconds.
"""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from mimir.frontend.api_client import api
from mimir.frontend.pages.shell import page
from mimir.frontend.pages.system.present import page_context
from mimir.frontend.session import signed_in


@require_GET
@signed_in
def system(request: HttpRequest) -> HttpResponse:
    """`/system/`. The API refuses users without administrator rights."""
    return page(
        request, "system/system.html", page_context(api(request).get("system/")), here="system"
    )
