"""Guided steps of the sample project: state and prefilled form of each. Pure."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from mimir.frontend.api_types.project_shapes import Producer
from mimir.frontend.pages.submit.request_schema import texts_of_request
from mimir.frontend.template_context import Context
from mimir.lib import sample

_TITLES = (
    (
        f"Run the pipeline {sample.PIPELINE}",
        f"It prepares the datasets {sample.HISTORY} and {sample.RECENT}.",
        "Run pipeline",
    ),
    (
        f"Train a model on {sample.HISTORY}",
        f"The model {sample.MODEL} predicts the next day's highest temperature.",
        f"Train {sample.HISTORY}",
    ),
    (
        f"Predict {sample.RECENT}",
        f"The predictions become the dataset {sample.FORECAST}.",
        "Predict",
    ),
    (
        f"Update the twin {sample.TWIN}",
        f"Each day of {sample.FORECAST} becomes an entity with its values.",
        "Update twin",
    ),
)
_MAKES = (
    ("dataset", sample.HISTORY),
    ("model", sample.MODEL),
    ("dataset", sample.FORECAST),
    ("twin", sample.TWIN),
)


def sample_steps(slug: str, producers: Sequence[Producer]) -> list[Context]:
    """List the steps: {"title", "does", "action", "url", "done", "next"}; empty once all are done.

    `producers`: from the project's summary.
    """
    existing = {(row["kind"], row["name"]) for row in producers}
    steps: list[Context] = []
    for (title, does, action), makes, job in zip(_TITLES, _MAKES, sample.JOBS, strict=True):
        texts = texts_of_request(job["type"], {"parameters": job["parameters"]})
        form = f"/projects/{quote(slug, safe='')}/jobs/new/?{urlencode({'type': job['type'], **_parameters(texts)}, doseq=True)}"  # noqa: E501
        steps.append(
            {
                "title": title,
                "does": does,
                "action": action,
                "url": form,
                "done": makes in existing,
                "next": False,
            }
        )
    left = [step for step in steps if not step["done"]]
    for step in left[:1]:
        step["next"] = True
    return steps if left else []


def _parameters(texts: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {
        name: values
        for name, values in texts.items()
        if name.startswith("parameters.") and any(values)
    }
