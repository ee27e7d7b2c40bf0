"""Indexed search conditions over jobs."""

import re

from django.db.models import BooleanField, Func, Q, Value
from django.db.models.functions import Substr, Upper
from django.db.models.lookups import StartsWith

from jobs.models import id_from_its_end, search_parts, search_text

_PART, _PARTS = (
    3,
    4,
    # characters of an n-gram (see jobs.models.search_parts), n-grams looked up in the index
)


class _HasAll(Func):
    """SQL operator: array contains all elements of another array."""

    template, arg_joiner, output_field = "%(expressions)s", " @> ", BooleanField()


class _Like(Func):
    """SQL operator: text matches a pattern, ignoring case."""

    template, arg_joiner, output_field = "%(expressions)s", " ILIKE ", BooleanField()


def titled_like(text: str) -> Q:
    """Return the condition that `text` is in the given or derived title, ignoring case.

    The index finds titles with some of the n-grams, whose text is then compared. With all n-grams
    the planner would assume a rare match, since it multiplies their frequencies. The comparison
    comes first, because it is the cheaper one where titles are compared row by row.
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
    """Return the condition that the id ends with `text`; no condition if no id can."""
    if not re.fullmatch(r"[0-9a-fA-F-]{1,36}", text):
        return Q()
    return Q(StartsWith(id_from_its_end(), text.lower()[::-1]))
