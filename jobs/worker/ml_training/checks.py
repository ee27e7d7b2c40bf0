"""Warnings about features: target leakage, row identifiers, constants, spelling variants.

A warning never drops a column.
"""

import time
from typing import Any

from jobs.worker.ml_training.classes import alike
from jobs.worker.ml_training.columns import notice
from jobs.worker.ml_training.reading import Learning
from jobs.worker.tabular import Feature
from jobs.worker.workload_context import WorkloadContext
from mimir.lib.schemas.metrics import REGRESSION

CONSTANT_SHARE_MIN, CONSTANT_ROWS_MIN = 0.99, 100
DISTINCT_SHARE_MIN, DISTINCT_ROWS_MIN = 0.9, 20  # above these, values identify rows
LEAK_SCORE_MIN, LEAK_ROWS_MIN, LEAK_ROWS_MAX = 0.99, 40, 4000
LEAK_BASELINE_MAX = 0.95  # a majority class above this is near-perfect without any column
CHECK_SECONDS = 10.0
# Distinct values of a column up to which spelling variants are searched.
CATEGORIES_MAX = 5000
NAMES_SHOWN = 10
_WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "HUGEINT",
)
_ID_WORDS = frozenset(
    [
        "id",
        "ids",
        "uid",
        "uuid",
        "guid",
        "key",
        "pk",
        "index",
        "idx",
        "nr",
        "no",
        "num",
        "number",
        "code",
        "row",
        "unnamed",
    ]
)


def warn_about_columns(context: WorkloadContext, learning: Learning, *, seed: int) -> None:
    """Check each feature, for at most CHECK_SECONDS, and report problems as notices."""
    end = time.monotonic() + CHECK_SECONDS
    constant: list[str] = []
    identifying: list[str] = []
    leaks: list[str] = []
    leaking = _Leaks(learning, seed)
    for feature in learning.features:
        if time.monotonic() > end:
            break
        column = learning.frame[feature.name]
        if (share := _top_share(column)) >= CONSTANT_SHARE_MIN and len(column) >= CONSTANT_ROWS_MIN:
            constant.append(f"{feature.name} ({100 * share:.1f} %)")
        elif _identifies(feature, column):
            identifying.append(feature.name)
        elif leak := leaking.found(feature, column):
            leaks.append(f"{feature.name} ({leak})")
        if feature.kind == "category":
            _report_alike(context, feature.name, column)
    if constant:
        notice(
            context,
            "Nearly constant columns, with the share of their most frequent value: "
            f"{_some(constant)}. They add little information.",
        )
    if identifying:
        notice(
            context,
            f"Columns that seem to identify rows: {_some(identifying)}. A model learns nothing "
            "general from an identifier or a row number. Exclude them (parameter exclude), "
            "unless their order has a meaning.",
        )
    if leaks:
        notice(
            context,
            f"Columns that predict the target almost perfectly alone: {_some(leaks)}. "
            "If their values are known only after the target, they leak it: exclude them "
            "(parameter exclude).",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (
        f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    )


def _top_share(column: Any) -> float:
    counts = column.value_counts(dropna=False, sort=True)
    return float(counts.iloc[0]) / len(column) if len(counts) else 0.0


def _identifies(feature: Feature, column: Any) -> bool:
    """Return whether a column seems to identify rows.

    Such a column is text that differs in nearly every row, or distinct whole numbers that are
    consecutive or whose column is named like an identifier.
    """
    there = column.dropna()
    if len(there) < DISTINCT_ROWS_MIN:
        return False
    distinct = there.nunique()
    if feature.kind == "category":
        return bool(distinct > DISTINCT_SHARE_MIN * len(there))
    if feature.type not in _WHOLE or distinct < len(there):
        return False
    parts = feature.name.replace("-", "_").replace(" ", "_").casefold().split("_")
    named = bool(_ID_WORDS.intersection(parts)) or feature.name.endswith(("Id", "ID"))
    return bool(named or there.max() - there.min() + 1 == len(there))


def _report_alike(context: WorkloadContext, name: str, column: Any) -> None:
    values = [str(value) for value in column.dropna().unique()]
    groups = alike(values) if len(values) <= CATEGORIES_MAX else []
    if groups:
        shown = "; ".join(", ".join(repr(text[:60]) for text in group[:5]) for group in groups[:5])
        notice(
            context,
            f"Column {name} has categories that differ only by case, spaces or Unicode form: "
            f"{shown}. They stay different.",
        )


class _Leaks:
    """Scores single columns as predictors of the target.

    A decision tree is trained on one half of a sample and evaluated on the other. Categories are
    first encoded as numbers (`_coded`).
    """

    def __init__(self, learning: Learning, seed: int) -> None:
        import numpy

        count = len(learning.target)
        chosen = numpy.random.default_rng(seed).permutation(count)[:LEAK_ROWS_MAX]
        self._learn, self._judge = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
        self._regression = learning.task == REGRESSION
        self._target = (
            learning.target
            if self._regression
            else numpy.unique(learning.target, return_inverse=True)[1]
        )
        truth = self._target[self._judge]
        self._possible = count >= LEAK_ROWS_MIN and len(numpy.unique(truth)) > 1
        if self._possible and not self._regression:
            self._possible = bool(numpy.bincount(truth).max() <= LEAK_BASELINE_MAX * len(truth))

    def found(self, feature: Feature, column: Any) -> str:
        """Return the score of the column alone as text; empty unless it is almost perfect."""
        from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

        if not self._possible:
            return ""
        values = self._coded(column) if feature.kind == "category" else column.to_numpy(dtype=float)
        truth, guess = self._target[self._judge], self._guess(values)
        if self._regression:
            score = float(r2_score(truth, guess))
            return f"R² {score:.3f}" if score >= LEAK_SCORE_MIN else ""
        score = float(accuracy_score(truth, guess))
        balanced = float(balanced_accuracy_score(truth, guess)) if score >= LEAK_SCORE_MIN else 0.0
        return f"accuracy {score:.3f}" if balanced >= LEAK_SCORE_MIN else ""

    def _coded(self, column: Any) -> Any:
        """Encode categories by their mean target (or most frequent class) in the training half.

        A category that does not occur in the training half becomes a missing value.
        """
        import pandas

        values, target = (
            column.iloc[self._learn],
            pandas.Series(self._target[self._learn], index=self._learn),
        )
        values.index = self._learn
        groups = target.groupby(values.fillna("\x00missing"))
        codes = (
            groups.mean() if self._regression else groups.agg(lambda cells: cells.mode().iloc[0])
        )
        return column.fillna("\x00missing").map(codes).to_numpy(dtype=float)

    def _guess(self, values: Any) -> Any:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        tree = (
            DecisionTreeRegressor(random_state=0)
            if self._regression
            else DecisionTreeClassifier(max_leaf_nodes=256, random_state=0)
        )
        tree.fit(values[self._learn].reshape(-1, 1), self._target[self._learn])
        return tree.predict(values[self._judge].reshape(-1, 1))
