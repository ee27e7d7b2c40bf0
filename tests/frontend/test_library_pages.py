"""Pages of models and datasets by a real frontend, with fixed responses of the API."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.frontend import shelf
from tests.frontend.canned import CannedApi, running_canned
from tests.frontend.process import Frontend, running_frontend

P = "/projects/bikes"


@pytest.fixture(scope="module")
def canned() -> Iterator[CannedApi]:
    with running_canned() as api:
        yield api


@pytest.fixture(scope="module")
def pages(canned: CannedApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("pages")
    with running_frontend(folder, canned.url) as frontend, _signed_in(frontend) as client:
        yield client


def _signed_in(frontend: Frontend) -> httpx.Client:
    return frontend.client(session=True)


@pytest.fixture(autouse=True)
def _fresh(canned: CannedApi) -> None:
    canned.answers = shelf.answers()
    canned.asked.clear()
    canned.refused.clear()


def _text(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    main = answer.text.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def test_the_list_compares_each_model_with_the_baseline(pages: httpx.Client) -> None:
    shown = _text(pages.get(f"{P}/models/"))
    assert "demand-forecast histogram gradient boosting, predicts rides" in shown
    assert "Root mean squared error 412 63 % better than the baseline" in shown
    assert "Accuracy 0.861 0.422 above the baseline" in shown


def test_an_empty_list_leads_to_the_training_form(pages: httpx.Client, canned: CannedApi) -> None:
    canned.answers["projects/bikes/models/"] = {"results": [], "next": None}
    answer = pages.get(f"{P}/models/")
    assert "No model yet" in answer.text
    assert f'href="{P}/jobs/new/?type=ml_training">Train a model' in answer.text


def test_a_version_links_to_its_next_actions(pages: httpx.Client) -> None:
    answer = pages.get(f"{P}/models/demand-forecast/?version=1")
    assert (
        f'href="{P}/jobs/new/?type=ml_inference&amp;model=demand-forecast&amp;version=1"'
        in answer.text
    )
    assert 'href="/api/v1/projects/bikes/models/demand-forecast/versions/1/content/"' in answer.text
    newest = pages.get(f"{P}/models/demand-forecast/")
    assert f'href="{P}/models/demand-forecast/compare/?a=1&amp;b=2"' in newest.text


def test_a_version_shows_every_plot_with_a_sentence_and_its_numbers(pages: httpx.Client) -> None:
    for name, count in (("demand-forecast", 3), ("weather-class", 4)):
        answer = pages.get(f"{P}/models/{name}/")
        drawn = re.findall(r'<svg class="fit"[^>]*role="img" aria-label="([^"]+)"', answer.text)
        assert len(drawn) == count
        assert all(len(profile) > 20 for profile in drawn)
        assert answer.text.count("Show numbers") == count
    assert "371 of 442 held-out rows are classified correctly" in _text(
        pages.get(f"{P}/models/weather-class/")
    )


def test_a_page_asks_the_api_at_most_six_times(pages: httpx.Client, canned: CannedApi) -> None:
    for path in (
        f"{P}/models/demand-forecast/",
        f"{P}/models/demand-forecast/compare/",
        f"{P}/datasets/daily_demand/",
    ):
        canned.asked.clear()
        assert pages.get(path).status_code == 200
        assert len(canned.asked) <= 6, canned.asked


def test_hostile_names_are_displayed_and_never_interpreted(
    pages: httpx.Client, canned: CannedApi
) -> None:
    version = shelf.regression(2)
    evil = "</text><script>alert(1)</script>\u202e"
    version["importance"] = [{"feature": evil, "value": 1.0}]
    version["target"] = evil
    version["signature"]["features"][0]["name"] = evil
    canned.answers["projects/bikes/models/demand-forecast/versions/latest/"] = version
    answer = pages.get(f"{P}/models/demand-forecast/")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "\u202e" not in answer.text
    assert "⟨U+202E⟩" in answer.text


def test_missing_plots_do_not_break_the_page(pages: httpx.Client, canned: CannedApi) -> None:
    version = {
        **shelf.regression(2),
        "plots": {},
        "importance": [],
        "metrics": {},
        "baseline": {},
        "training": {},
        "libraries": {},
    }
    canned.answers["projects/bikes/models/demand-forecast/versions/latest/"] = version
    shown = _text(pages.get(f"{P}/models/demand-forecast/"))
    assert "No metrics available" in shown
    assert "Predicted vs. actual" not in shown


@pytest.mark.parametrize(
    "query", ["?version=99", "?version=-1", "?version=1.5", "?version=x", "?version=%00"]
)
def test_an_invalid_version_number_is_not_found(pages: httpx.Client, query: str) -> None:
    assert pages.get(f"{P}/models/demand-forecast/{query}").status_code == 404


def test_a_name_is_one_part_of_the_address(pages: httpx.Client, canned: CannedApi) -> None:
    pages.get(f"{P}/models/a%3Fb%23c/")
    assert any(path.startswith("projects/bikes/models/a%3Fb%23c/?") for path in canned.asked)


def test_two_versions_stand_side_by_side_with_what_differs_first(pages: httpx.Client) -> None:
    shown = _text(pages.get(f"{P}/models/demand-forecast/compare/?a=2&b=1"))
    assert "versions 2 and 1" in shown
    assert (
        shown.index("Learning rate")
        < shown.index("Identical in both versions")
        < shown.index("Seed")
    )
    assert "412 better" in shown
    # that sentence is for users who cannot see the plot
    assert "version 2: predicted against actual" not in shown
    assert "Choose two different versions" in _text(
        pages.get(f"{P}/models/demand-forecast/compare/?a=2&b=2")
    )


def test_a_dataset_shows_its_profile_when_it_is_there(pages: httpx.Client) -> None:
    answer = pages.get(f"{P}/datasets/daily_demand/")
    shown = _text(answer)
    assert "212 to 5,871 mean 3,127" in shown
    assert "rain 44 %, sun 44 % 3 more" in shown
    assert "12 missing (0.8 %)" in shown
    assert "data-profile=" not in answer.text
    columns = _text(pages.get(f"{P}/datasets/daily_demand/?tab=columns"))
    assert "2 rides bigint none 1,311 212 5,871 3,127 900" in columns


def test_a_profile_that_is_not_computed_yet_does_not_block_the_page(
    pages: httpx.Client, canned: CannedApi
) -> None:
    stored = "projects/bikes/datasets/daily_demand/versions/41/profile/?stored=true"
    canned.refused[stored] = {"code": "not_computed", "message": "Not yet.", "detail": {}}
    answer = pages.get(f"{P}/datasets/daily_demand/")
    assert (
        'data-profile="/api/v1/projects/bikes/datasets/daily_demand/versions/41/profile/"'
        in answer.text
    )
    assert 'href="?version=41&amp;profile=1"' in answer.text
    assert "212 to 5,871" in _text(pages.get(f"{P}/datasets/daily_demand/?version=41&profile=1"))


def test_a_profile_that_cannot_be_computed_says_why(pages: httpx.Client, canned: CannedApi) -> None:
    profile = {
        "row_count": 0,
        "columns": [],
        "fault": "The file cannot be read any more: upload it again.",
    }
    canned.answers["projects/bikes/datasets/daily_demand/versions/41/profile/"] = profile
    assert "The file cannot be read any more" in _text(pages.get(f"{P}/datasets/daily_demand/"))


def test_a_dataset_names_where_it_comes_from_and_who_uses_it(pages: httpx.Client) -> None:
    answer = pages.get(f"{P}/datasets/daily_demand/")
    assert f'href="{P}/models/demand-forecast/?version=7"' in answer.text
    assert f'href="{P}/jobs/new/?type=ml_training&amp;dataset=daily_demand"' in answer.text
    for group in ("Inputs", "Created by", "Used by"):
        assert f'aria-label="{group}"' in answer.text


def test_viewers_are_offered_nothing_to_run(pages: httpx.Client, canned: CannedApi) -> None:
    canned.answers["projects/bikes/"] = shelf.project(role="viewer")
    for path in (f"{P}/models/", f"{P}/models/demand-forecast/", f"{P}/datasets/daily_demand/"):
        assert "/jobs/new/" not in pages.get(path).text
