"""Next steps of a diagnosis on a job's page."""

from typing import Any

from mimir.frontend.pages.job.present import diagnosis_of


def _row(category: str, *steps: Any) -> Any:
    diagnosis = {"category": category, "summary": "s", "detail": "d", "next_steps": list(steps)}
    return {
        "id": "1",
        "project": "demo",
        "parameters": {"pipeline": "echo"},
        "diagnosis": diagnosis,
    }


def _steps(row: Any) -> list[Any]:
    found = diagnosis_of(row)
    assert found
    steps: list[Any] = found["next_steps"]
    return steps


def test_a_step_without_a_person_to_act_is_not_shown() -> None:
    assert (
        _steps(
            _row("starting", {"label": "No action needed: wait", "patch": None, "actor": "nobody"})
        )
        == []
    )


def test_a_step_of_an_administrator_has_no_url() -> None:
    [step] = _steps(
        _row(
            "missing_service_account",
            {"label": "Create the service account", "patch": None, "actor": "administrator"},
        )
    )
    assert (step["by_hand"], step["url"], step["retry"]) == ("administrator", "", False)


def test_a_step_of_the_user_leads_to_the_pipeline() -> None:
    [step] = _steps(
        _row("exit_code", {"label": "Change and run again", "patch": None, "actor": "user"})
    )
    assert (step["by_hand"], step["url"]) == ("pipeline", "/projects/demo/pipelines/echo/")


def test_a_change_of_the_request_opens_the_form_with_it() -> None:
    [step] = _steps(
        _row(
            "out_of_memory",
            {"label": "Run again with 8 GiB", "patch": {"resources": {"memory": "8Gi"}}},
        )
    )
    assert step["url"].startswith("/projects/demo/jobs/new/?from=1&patch=%7B")
