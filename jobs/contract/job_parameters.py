"""Parameters of each job type, as its schema in `jobs/types/<type>/spec.py` allows them.

The API checks them at submit. A test compares the keys with the schemas.
"""

from typing import Literal, NotRequired, TypedDict

from mimir.lib.json_types import JsonObject


class PipelineParameters(TypedDict):
    """Parameters of `pipeline_execution`."""

    pipeline: str
    version: NotRequired[int]


class TrainingParameters(TypedDict):
    """Parameters of `ml_training`. `hyperparameters` depend on the algorithm."""

    dataset: str
    target: str
    model: str
    version: NotRequired[int]
    features: NotRequired[list[str]]
    exclude: NotRequired[list[str]]
    task: NotRequired[str]
    algorithm: NotRequired[str]
    hyperparameters: NotRequired[JsonObject]
    rare_classes: NotRequired[Literal["drop", "group", "refuse"]]
    split: NotRequired[Literal["random", "time"]]
    time_column: NotRequired[str]
    test_size: NotRequired[float]
    seed: NotRequired[int]


class InferenceParameters(TypedDict):
    """Parameters of `ml_inference`. `version` is the model's."""

    model: str
    dataset: str
    output: str
    version: NotRequired[int]
    keys: NotRequired[list[str]]
    missing_columns: NotRequired[Literal["refuse", "empty"]]


class TwinUpdateParameters(TypedDict):
    """Parameters of `digital_twin_update`. `properties`: the column of each property."""

    twin: str
    dataset: str
    type: str
    key: str
    version: NotRequired[int]
    properties: NotRequired[dict[str, str]]
    latest_by: NotRequired[str]
    missing: NotRequired[Literal["keep", "mark", "delete"]]
