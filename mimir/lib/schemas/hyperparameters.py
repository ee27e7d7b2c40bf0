"""Hyperparameters of each algorithm, with names, meanings and defaults of scikit-learn 1.9."""

from mimir.lib.schemas.schema_types import JsonSchema


def _whole(
    title: str, low: int, high: int, default: int | None, description: str, *, none: bool = False
) -> JsonSchema:
    return {
        "type": ["integer", "null"] if none else "integer",
        "title": title,
        "minimum": low,
        "maximum": high,
        "default": default,
        "description": description,
    }


def _number(title: str, low: float, high: float, default: float, description: str) -> JsonSchema:
    return {
        "type": "number",
        "title": title,
        "minimum": low,
        "maximum": high,
        "default": default,
        "description": description,
    }


def _object(properties: dict[str, JsonSchema]) -> JsonSchema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


_DEPTH = "Maximum number of splits between root and leaf. null: no limit."
_LEAF = "Minimum number of rows in a leaf."

# sklearn.linear_model.LinearRegression
LINEAR = _object(
    {
        "fit_intercept": {
            "type": "boolean",
            "title": "Intercept",
            "default": True,
            "description": "Whether to fit an intercept.",
        }
    }
)

# sklearn.linear_model.LogisticRegression. max_iter is higher than in scikit-learn: scaled data
# needs more iterations to converge.
LOGISTIC = _object(
    {
        "C": _number(
            "C",
            1e-6,
            1e6,
            1.0,
            "Inverse of the regularization strength: smaller is stronger.",
        ),
        "max_iter": _whole(
            "Iterations", 1, 100_000, 1000, "Maximum number of iterations of the solver."
        ),
        "fit_intercept": {
            "type": "boolean",
            "title": "Intercept",
            "default": True,
            "description": "Whether to fit an intercept.",
        },
        "class_weight": {
            "type": ["string", "null"],
            "enum": ["balanced", None],
            "title": "Class weight",
            "default": None,
            "description": "balanced: rare classes have as much weight as common ones.",
        },
    }
)

# sklearn.ensemble.RandomForestRegressor, RandomForestClassifier
RANDOM_FOREST = _object(
    {
        "n_estimators": _whole("Trees", 1, 5000, 100, "Number of trees."),
        "max_depth": _whole("Depth", 1, 1000, None, _DEPTH, none=True),
        "min_samples_leaf": _whole("Rows in a leaf", 1, 1_000_000, 1, _LEAF),
        "max_features": {
            "anyOf": [
                {"type": "string", "enum": ["sqrt", "log2"]},
                {"type": "number", "minimum": 0.001, "maximum": 1},
                {"type": "null"},
            ],
            "title": "Features at a split",
            "default": None,
            "description": "Number of features to consider at each split. null: sqrt for"
            " classification, 1.0 (all) for regression.",
            "x-rule": "sqrt, log2, a share of the features from 0.001 to 1, or null",
            "x-choices": ["sqrt", "log2", 0.25, 0.5, 0.75, 1.0],
            "x-null": "Automatic: sqrt for classification, all for regression",
        },
    }
)

# sklearn.ensemble.HistGradientBoostingRegressor, HistGradientBoostingClassifier
HIST_GRADIENT_BOOSTING = _object(
    {
        "learning_rate": _number(
            "Learning rate",
            0.0001,
            1.0,
            0.1,
            "Learning rate: the weight of each tree's correction.",
        ),
        "max_iter": _whole("Trees", 1, 10_000, 100, "Maximum number of boosting iterations."),
        "max_leaf_nodes": _whole(
            "Leaves",
            2,
            100_000,
            31,
            "Maximum number of leaves of each tree. null: no limit.",
            none=True,
        ),
        "max_depth": _whole("Depth", 1, 1000, None, _DEPTH, none=True),
        "min_samples_leaf": _whole("Rows in a leaf", 1, 1_000_000, 20, _LEAF),
        "l2_regularization": _number("L2 regularisation", 0.0, 1e6, 0.0, "0: none."),
    }
)

HYPERPARAMETERS: dict[str, JsonSchema] = {
    "hist_gradient_boosting": HIST_GRADIENT_BOOSTING,
    "random_forest": RANDOM_FOREST,
    "linear": LINEAR,
    "logistic": LOGISTIC,
}
