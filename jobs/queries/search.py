"""Searching among very many jobs: conditions that the indexes of `Job` serve."""

import re

from django.db.models import BooleanField, Func, Q, Value
from django.db.models.functions import Substr, Upper
from django.db.models.lookups import StartsWith

from jobs.models import id_from_its_end, search_parts, search_text

_PART, _PARTS = (
    3,
    4,
)  # characters of a part (see jobs.models.search_parts), parts that the index is asked for


class _HasAll(Func):
    """An array that holds all of another one's elements."""

    template, arg_joiner, output_field = "%(expressions)s", " @> ", BooleanField()


class _Like(Func):
    """A text that fits a pattern, whatever the case."""

    template, arg_joiner, output_field = "%(expressions)s", " ILIKE ", BooleanField()


def titled_like(text: str) -> Q:
    """`text` is in the given or the derived title, whatever the case: the index finds titles with some of its parts, which are then compared.

    With all of its parts the planner would take every search for a rare one, since it multiplies how often each is met. The comparison
    stands first, because it is the cheap one where titles are compared row by row.
    """
    starts = sorted(
        {round(share * max(len(text) - _PART, 0) / (_PARTS - 1)) + 1 for share in range(_PARTS)}
    )
    parts = [Substr(Upper(Value(text)), start, _PART) for start in starts]
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
    return Q(_Like(search_text(), Value(pattern))) & Q(
        _HasAll(search_parts(), Func(*parts, template="ARRAY[%(expressions)s]"))
    )


def id_ends(text: str) -> Q:
    """The id ends with `text`; no condition for what no id ends with."""
    if not re.fullmatch(r"[0-9a-fA-F-]{1,36}", text):
        return Q()
    return Q(StartsWith(id_from_its_end(), text.lower()[::-1]))
