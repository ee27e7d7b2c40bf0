"""Search conditions for jobs. Conditions on title, label and id read the search rows."""

import re

from django.db.models import BooleanField, F, Func, Q, Value
from django.db.models.functions import Substr, Upper
from django.db.models.lookups import StartsWith

from jobs.models import JobSearch, id_from_its_end, title_parts

_PART = 3  # characters of an n-gram, see `jobs.models.title_parts`
_PARTS = 2  # n-grams looked up in the index: the first and the last


class _HasAll(Func):
    """SQL operator: array contains all elements of another array."""

    template, arg_joiner, output_field = "%(expressions)s", " @> ", BooleanField()


class _Like(Func):
    """SQL expression: text matches a pattern, ignoring case.

    The CASE hides the match from the planner. Otherwise the planner multiplies the selectivity of
    the match by that of the n-grams, and estimates far too few rows.
    """

    template = "CASE WHEN %(expressions)s THEN true ELSE false END"
    arg_joiner, output_field = " ILIKE ", BooleanField()


def found_by(*conditions: Q) -> Q:
    """Return the condition that the search row of a job meets all `conditions`."""
    return Q(id__in=JobSearch.objects.filter(*conditions).values("job_id"))


def titled_like(text: str) -> Q:
    """Return the condition that a title of the search row contains `text`, ignoring case.

    The index finds titles that contain the first and the last n-gram of `text`. The text of these
    titles is then compared. With more n-grams the planner would estimate too few rows, because it
    multiplies their frequencies. In a scan without the index, the text is compared before the
    n-grams, because that costs less.
    """
    pattern = Value("%" + re.sub(r"([\\%_])", r"\\\1", text) + "%")
    starts = sorted(
        {round(share * max(len(text) - _PART, 0) / (_PARTS - 1)) + 1 for share in range(_PARTS)}
    )
    parts = [Substr(Upper(Value(text)), start, _PART) for start in starts]
    return Q(_Like(F("titles"), pattern)) & Q(
        _HasAll(title_parts(), Func(*parts, template="ARRAY[%(expressions)s]"))
    )


def id_ends(text: str) -> Q:
    """Return the condition that the job id of the search row ends with `text`.

    An empty Q if no id can end with it.
    """
    if not re.fullmatch(r"[0-9a-fA-F-]{1,36}", text):
        return Q()
    return Q(StartsWith(id_from_its_end(), text.lower()[::-1]))


def labelled(label: str) -> Q:
    """Return the condition that the search row has the label `key` or `key=value`."""
    key, given, value = label.partition("=")
    return Q(labels__contains={key: value}) if given else Q(labels__has_key=key)
