"""Search conditions over jobs."""

import re
from string import Formatter

from django.db.models import BooleanField, Func, Q, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Substr, Upper
from django.db.models.lookups import StartsWith

from jobs.models import INDEXED_TITLES, id_from_its_end, search_parts, search_text
from jobs.types.registry import SPECS
from jobs.types.spec import JobTypeSpec

_PART = 3  # characters of an n-gram, see `jobs.models.search_parts`
_PARTS = 4  # n-grams looked up in the index


class _HasAll(Func):
    """SQL operator: array contains all elements of another array."""

    template, arg_joiner, output_field = "%(expressions)s", " @> ", BooleanField()


class _Like(Func):
    """SQL operator: text matches a pattern, ignoring case."""

    template, arg_joiner, output_field = "%(expressions)s", " ILIKE ", BooleanField()


def titled_like(text: str) -> Q:
    """Return the condition that `text` is in the given or derived title, ignoring case.

    Titles of the types in INDEXED_TITLES are in an index. Those of other types are derived by the
    query, for the jobs of these types only.
    """
    pattern = Value("%" + re.sub(r"([\\%_])", r"\\\1", text) + "%")
    found = _in_index(text, pattern)
    for spec in SPECS.values():
        if spec.name not in INDEXED_TITLES:
            found |= Q(type=spec.name) & Q(_Like(_titles(spec), pattern))
    return found


def _in_index(text: str, pattern: Value) -> Q:
    """Return the condition over the indexed search text of a job.

    The index finds titles with some of the n-grams, whose text is then compared. With all n-grams
    the planner would assume a rare match, since it multiplies their frequencies. The comparison
    comes first, because it is the cheaper one where titles are compared row by row.
    """
    starts = sorted(
        {round(share * max(len(text) - _PART, 0) / (_PARTS - 1)) + 1 for share in range(_PARTS)}
    )
    parts = [Substr(Upper(Value(text)), start, _PART) for start in starts]
    return Q(_Like(search_text(), pattern)) & Q(
        _HasAll(search_parts(), Func(*parts, template="ARRAY[%(expressions)s]"))
    )


def _titles(spec: JobTypeSpec) -> Func:
    """Return the expression for the title of the type and the title derived from parameters."""
    parts: list[Value | KeyTextTransform] = [Value(f"{spec.title}\n")]
    for text, parameter, _, _ in Formatter().parse(spec.job_title):
        parts.append(Value(text))
        if parameter:
            parts.append(KeyTextTransform(parameter, "parameters"))
    return Func(*parts, function="concat", output_field=TextField())  # skips nulls


def id_ends(text: str) -> Q:
    """Return the condition that the id ends with `text`; no condition if no id can."""
    if not re.fullmatch(r"[0-9a-fA-F-]{1,36}", text):
        return Q()
    return Q(StartsWith(id_from_its_end(), text.lower()[::-1]))
