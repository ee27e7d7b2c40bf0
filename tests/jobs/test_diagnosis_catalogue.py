"""The catalogue of messages is complete and consistent; its templates render."""

import re

import pytest

from jobs.contract import FailureReason
from jobs.diagnosis.catalogue import CATALOGUE
from jobs.diagnosis.catalogue.attempts import BY_REASON
from jobs.diagnosis.message import Message, message, render
from jobs.reasons import REASONS

MESSAGES = pytest.mark.parametrize("each", CATALOGUE.values(), ids=list(CATALOGUE))


def test_every_reason_has_a_message_for_an_attempt() -> None:
    assert set(BY_REASON) == set(FailureReason)
    assert all(found.reason is reason for reason, found in BY_REASON.items())


def test_every_reason_of_a_wait_has_a_message_that_can_be_shown_while_waiting() -> None:
    causes = {each.reason for each in CATALOGUE.values() if each not in BY_REASON.values()}
    assert {reason for reason, row in REASONS.items() if row.is_wait} - causes == set()


@MESSAGES
def test_a_message_has_a_code_of_its_reason_and_complete_sentences(each: Message) -> None:
    assert each.code.split(".")[0] == each.reason.value
    assert len(each.code) <= 64
    assert each.detail.endswith((".", "]"))
    assert each.summary.endswith((".", "]", "{problem}"))
    assert not each.summary.startswith(("Waiting:", "Never started"))


@MESSAGES
def test_a_message_renders_with_and_without_its_parameters(each: Message) -> None:
    params = dict.fromkeys(each.placeholders, 3)
    for text in (each.waits_summary(params), each.ended_summary(params), each.detail_of(params)):
        assert text
        assert not re.search(r"[\[\]{}]", text)
    assert each.ended_summary({})


def test_an_optional_part_is_dropped_without_its_parameter() -> None:
    template = "The node[ {node}] failed[ after {seconds:span}]."
    assert render(template, {"node": "a", "seconds": 90}) == "The node a failed after 1 min 30 s."
    assert render(template, {"node": "", "seconds": None}) == "The node failed."


def test_a_message_of_a_cluster_is_not_read_as_a_template() -> None:
    assert render("It says: {report}", {"report": "[a] {b}"}) == "It says: [a] {b}"


def test_a_wait_says_afterwards_that_the_worker_never_started() -> None:
    found = message("suspended", "its Job is suspended.", "It waits.", waiting=True)
    assert found.waits_summary({}) == "Waiting: its Job is suspended."
    assert found.ended_summary({}) == "Never started: its Job is suspended."
