"""Selection of the rules for a column, by the source of its cells and the user's options."""

from collections.abc import Sequence
from dataclasses import replace

from mimir.lib.reading import rules
from mimir.lib.reading.options import DATE_ORDERS, UNIX_FORMATS, ReadOptions
from mimir.lib.reading.rules import Rule, sql_text
from mimir.lib.reading.unixtimes import unix_rules

TRUE_TEXTS = "('true', 't', 'yes', 'y', 'on', '1', 'ja', 'oui', 'si', 'sí', 'sim', 'vrai', 'wahr')"
FALSE_TEXTS = "('false', 'f', 'no', 'n', 'off', '0', 'nein', 'non', 'não', 'faux', 'falsch')"
_ANY_BOOLEAN = (
    f"CASE WHEN lower({{t}}) IN {TRUE_TEXTS} THEN true WHEN lower({{t}}) IN {FALSE_TEXTS} THEN "
    "false END"
)


def text_rules(options: ReadOptions, *, comma_delimited: bool) -> list[Rule]:
    """Return the rules for cells of a text file, in the order of trial."""
    found = [
        rule
        for rule in rules.TEXT_RULES
        if rule.kind == "boolean" or rule in (rules.BIGINT, *rules.ISO_RULES)
    ]
    numbers = _number_rules(options, comma_delimited)
    return [
        rules.BIGINT,
        *numbers,
        *(rule for rule in found if rule is not rules.BIGINT),
        *_date_rules(options),
    ]


def string_rules(options: ReadOptions) -> list[Rule]:
    """Return the rules for JSON strings and text cells of a workbook.

    They read dates and times that begin with the year, and formats that the user named.
    """
    return [*rules.ISO_RULES, *(_date_rules(options) if _text_formats(options) else [])]


def rules_for_type(type_name: str, options: ReadOptions, *, comma_delimited: bool) -> list[Rule]:
    """Return the rules that read text as a chosen type, the most exact first."""
    if type_name == "BOOLEAN":
        match, value = f"({_ANY_BOOLEAN}) IS NOT NULL", f"({_ANY_BOOLEAN})"
        return [Rule("boolean", "BOOLEAN", match, value, "boolean")]
    every = [
        replace(rule, proof="")
        for rule in [*text_rules(options, comma_delimited=comma_delimited), *rules.DAY_FIRST[4:]]
    ]
    same = [rule for rule in every if rule.type == type_name]
    if type_name == "DOUBLE":
        same += [replace(rules.BIGINT, type="DOUBLE", cast="TRY_CAST({t} AS DOUBLE)")]
    if type_name == "BIGINT":
        same += _integer_rules(every)
    if type_name == "TIMESTAMP":
        same += [
            replace(rule, type="TIMESTAMP", cast=f"CAST({rule.cast} AS TIMESTAMP)")
            for rule in every
            if rule.type == "DATE"
        ]
    if type_name == "DATE":
        same += [
            replace(
                rule,
                type="DATE",
                match=f"{rule.match} AND {rule.cast} = date_trunc('day', {rule.cast})",
                cast=f"CAST({rule.cast} AS DATE)",
            )
            for rule in every
            if rule.type == "TIMESTAMP"
        ]
    return [*same, *unix_rules(options.date_formats, type_name)]


def _integer_rules(every: Sequence[Rule]) -> list[Rule]:
    """Return the rules for whole numbers that are written as decimals or with leading zeros."""
    zeros = "TRY_CAST({t} AS BIGINT)"
    return [
        *(
            replace(
                rule,
                type="BIGINT",
                match=f"{rule.match} AND {rule.cast} = trunc({rule.cast})",
                cast=f"CAST({rule.cast} AS BIGINT)",
            )
            for rule in every
            if rule.type == "DOUBLE" and rule.kind == "number"
        ),
        Rule(
            "integer with zeros",
            "BIGINT",
            "regexp_full_match({t}, '[+-]?[0-9]+') AND " + zeros + " IS NOT NULL",
            zeros,
            "number",
        ),
    ]


def _number_rules(options: ReadOptions, comma_delimited: bool) -> list[Rule]:
    decimal, thousands = options.decimal_mark, options.thousands_mark
    if decimal == ",":
        grouped = {
            "": [_without_groups(rules.GROUPED_COMMA, r"\.")],
            " ": [rules.GROUPED_SPACE_COMMA],
            "'": [rules.GROUPED_SPACE_COMMA],
        }
        chosen = (
            grouped.get(thousands, [rules.GROUPED_COMMA])
            if thousands is not None
            else [rules.GROUPED_COMMA, rules.GROUPED_SPACE_COMMA]
        )
        return [replace(rule, proof="") for rule in chosen] + [
            replace(rules.PERCENT_COMMA, proof="")
        ]
    point = rules.SURE_GROUPED_POINT if comma_delimited else rules.GROUPED_POINT
    if thousands is not None:
        if thousands == ".":
            return [replace(rules.GROUPED_COMMA, proof="")]
        grouped = {"": [], ",": [replace(rules.GROUPED_POINT, proof="")]}
        return [
            rules.DOUBLE,
            *grouped.get(thousands, [rules.GROUPED_SPACE]),
            rules.PERCENT,
            rules.CURRENCY,
        ]
    if decimal == ".":
        return [
            rules.DOUBLE,
            replace(rules.GROUPED_POINT, proof=""),
            rules.GROUPED_SPACE,
            rules.PERCENT,
            rules.CURRENCY,
        ]
    return [
        rules.DOUBLE,
        point,
        rules.GROUPED_COMMA,
        rules.GROUPED_SPACE,
        rules.GROUPED_SPACE_COMMA,
        rules.PERCENT,
        rules.PERCENT_COMMA,
        rules.CURRENCY,
    ]


def _without_groups(rule: Rule, mark: str) -> Rule:
    return replace(rule, match=f"{rule.match} AND NOT regexp_matches({{t}}, {sql_text(mark)})")


def _text_formats(options: ReadOptions) -> list[str]:
    """Return the formats of dates as text.

    Formats of Unix times need a chosen type and exclude no other format.
    """
    return [text for text in options.date_formats if text not in UNIX_FORMATS]


def _date_rules(options: ReadOptions) -> list[Rule]:
    if not _text_formats(options):
        return [*rules.DAY_FIRST, *rules.MONTH_FIRST, rules.MONTH_NAME, rules.MONTH_NAME_TIME]
    found: list[Rule] = []
    patterns = []
    for text in _text_formats(options):
        order = DATE_ORDERS.get(text)
        if order == "dmy":
            found += [replace(rule, proof="") for rule in rules.DAY_FIRST]
        elif order == "mdy":
            found += [replace(rule, proof="") for rule in rules.MONTH_FIRST]
        elif order is None:
            patterns.append(text)
    return [*_pattern_rules(patterns), *found, rules.MONTH_NAME, rules.MONTH_NAME_TIME]


def _pattern_rules(patterns: Sequence[str]) -> list[Rule]:
    if not patterns:
        return []
    listed = (
        "["
        + ", ".join(sql_text(text.replace("{", "{{").replace("}", "}}")) for text in patterns)
        + "]"
    )
    timed = any(
        directive in text for text in patterns for directive in ("%H", "%I", "%M", "%S", "%f")
    )
    type_name = (
        "TIMESTAMP WITH TIME ZONE"
        if any("%z" in text for text in patterns)
        else "TIMESTAMP"
        if timed
        else "DATE"
    )
    cast = f"CAST(try_strptime({{t}}, {listed}) AS {type_name})"
    return [Rule("date format", type_name, f"{cast} IS NOT NULL", cast, "time")]
