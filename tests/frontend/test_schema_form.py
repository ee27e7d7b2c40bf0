"""A schema as fields, and what was typed as JSON: each kind of field, both ways, for all four types of job."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.types.registry import SPECS, check_parameters, job_type_names
from mimir.frontend import schema_form
from mimir.frontend.api_client import ApiError
from mimir.frontend.pages.submit import request_schema
from mimir.frontend.pages.submit.present import preselected, refusals
from mimir.frontend.schema_form import Choice, Field, Kind, Offers
from mimir.lib import sample
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.schema_types import JsonSchema

COLUMNS = [
    {"name": "rides", "type": "BIGINT"},
    {"name": "hour", "type": "INTEGER"},
    {"name": "photo", "type": "BLOB"},
]
OFFERS = Offers(
    names={
        "dataset": [Choice("trips", "trips (v3)")],
        "model": [],
        "twin": [Choice("stations", "stations")],
    },
    newest={"parameters.dataset": 3},
    columns=COLUMNS,
    usable=frozenset({"rides", "hour"}),
    types=[Choice("station", "Station")],
    properties=[Choice("bikes", "Bikes"), Choice("docks", "Docks")],
)


def _fields(
    job_type: str, texts: dict[str, list[str]], offers: Offers = OFFERS, **more: Any
) -> dict[str, Field]:
    schema = request_schema.request_schema(job_type, texts)
    fields = schema_form.fields(schema, texts, offers, errors=more.pop("errors", {}), **more)
    return {field.name: field for field in schema_form.names_of(fields)}


MIXED: dict[str, Any] = {
    "anyOf": [{"type": "string", "enum": ["sqrt"]}, {"type": "number"}, {"type": "null"}],
    "x-choices": ["sqrt", 0.5],
}
READ: dict[str, tuple[dict[str, Any], dict[str, list[str]], Any]] = {
    "nothing": ({"type": "string"}, {}, schema_form.OMITTED),
    "an empty text": ({"type": "string"}, {"p": ["  "]}, schema_form.OMITTED),
    "a text": ({"type": "string"}, {"p": [" it "]}, "it"),
    "a column's name with its spaces": (
        {"type": "string", "format": "column"},
        {"p": [" it "]},
        " it ",
    ),
    "a whole number": ({"type": "integer"}, {"p": ["12"]}, 12),
    "no whole number": ({"type": "integer"}, {"p": ["1.5"]}, "1.5"),
    "digits that are none of ours": ({"type": "integer"}, {"p": ["１２"]}, "１２"),
    "a number": ({"type": "number"}, {"p": ["1e-3"]}, 0.001),
    "a number without a point": ({"type": "number"}, {"p": ["1"]}, 1.0),
    "no number": ({"type": "number"}, {"p": ["0,5"]}, "0,5"),
    "infinity is no number": ({"type": "number"}, {"p": ["inf"]}, "inf"),
    "the default": ({"type": "integer", "default": 7}, {"p": ["7"]}, schema_form.OMITTED),
    "the default, written in another way": (
        {"type": "number", "default": 1.0},
        {"p": ["1"]},
        schema_form.OMITTED,
    ),
    "null where the default is another": (
        {"type": ["integer", "null"], "default": 31},
        {"p": [""]},
        None,
    ),
    "null where it is the default": (
        {"type": ["integer", "null"], "default": None},
        {"p": [""]},
        schema_form.OMITTED,
    ),
    "a tick": ({"type": "boolean", "default": False}, {"p": ["false", "true"]}, True),
    "no tick": ({"type": "boolean", "default": True}, {"p": ["false"]}, False),
    "one of mixed values": (
        {"enum": ["sqrt", 0.5, None], "type": ["string", "number", "null"]},
        {"p": ["0.5"]},
        0.5,
    ),
    "one of several types": (MIXED, {"p": ["sqrt"]}, "sqrt"),
    "a number of several types": (MIXED, {"p": ["0.3"]}, 0.3),
    "null of several types": ({**MIXED, "default": "sqrt"}, {"p": [""]}, None),
    "none of several types": (MIXED, {"p": ["root"]}, "root"),
    "none of them": ({"enum": ["a", "b"]}, {"p": ["c"]}, "c"),
    "a list": ({"type": "array"}, {"p": ["a", "b"]}, ["a", "b"]),
    "an empty list": ({"type": "array"}, {"p": [""]}, []),
    "none of a list but one": ({"type": "array"}, {"p": ["", "a"]}, ["a"]),
    "a list that is written": ({"type": "array"}, {"p.lines": ["a\n\n b \n"]}, ["a", "b"]),
    "an object with any names": (
        {"type": "object"},
        {"p.x": ["a"], "p.y": [""], "q.z": ["b"]},
        {"x": "a"},
    ),
    "pairs": (
        {"type": "object", "format": "pairs"},
        {"p": ["team = bikes\nrun\n"]},
        {"team": "bikes", "run": ""},
    ),
    "a pair without a key": (
        {"type": "object", "format": "pairs"},
        {"p": ["=bikes"]},
        {"=bikes": ""},
    ),
}


@pytest.mark.parametrize("word", READ)
def test_what_was_typed_is_read_by_the_schema(word: str) -> None:
    schema, texts, expected = READ[word]
    found = schema_form.read(schema, texts, "p")
    assert (found, type(found)) == (expected, type(expected))


REQUESTS: list[dict[str, Any]] = [
    *sample.JOBS,
    {
        "type": "pipeline_execution",
        "parameters": {"pipeline": "p", "version": 3},
        "name": "it's mine",
        "labels": {"team": "bikes", "run": ""},
    },
    {
        "type": "ml_training",
        "parameters": {
            "dataset": "trips",
            "version": 2,
            "target": " rides ",
            "model": "demand",
            "task": "classification",
            "algorithm": "logistic",
            "hyperparameters": {"C": 0.5, "fit_intercept": False, "class_weight": "balanced"},
            "test_size": 0.5,
            "seed": 42,
        },
        "resources": {"cpu": "2", "memory": "4Gi", "gpu": 1},
    },
    {
        "type": "ml_inference",
        "parameters": {
            "model": "demand",
            "version": 1,
            "dataset": "trips",
            "output": "tomorrow",
            "keys": [],
        },
    },
    {
        "type": "digital_twin_update",
        "parameters": {
            "twin": "s",
            "dataset": "t",
            "type": "station",
            "key": "id",
            "missing": "mark",
        },
        "priority": "high",
        "timeout_seconds": 77,
        "max_attempts": 2,
    },
]


@pytest.mark.parametrize(
    "request_", REQUESTS, ids=lambda one: f"{one['type']}-{len(one['parameters'])}"
)
def test_a_request_put_into_the_form_and_read_back_is_the_same_but_for_defaults(
    request_: dict[str, Any],
) -> None:
    texts = request_schema.texts_of_request(request_["type"], request_)
    defaults = {
        name: schema.get("default")
        for name, schema in SPECS[request_["type"]].parameters["properties"].items()
    }
    parameters = {
        name: value for name, value in request_["parameters"].items() if value != defaults[name]
    }
    assert request_schema.body_of(request_["type"], texts) == {**request_, "parameters": parameters}


def _value(schema: JsonSchema) -> st.SearchStrategy[Any]:
    if "anyOf" in schema:
        return st.sampled_from([*schema["x-choices"], None]) | st.floats(0.01, 1.0)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "boolean":
        return st.booleans()
    low, high = schema["minimum"], schema["maximum"]
    none = st.none() if "null" in schema["type"] else st.nothing()
    return (
        st.floats(low, high) if schema["type"] == "number" else st.integers(int(low), int(high))
    ) | none


@given(data=st.data())
def test_any_hyperparameters_come_back_or_are_the_defaults(data: st.DataObject) -> None:
    algorithm = data.draw(st.sampled_from(list(HYPERPARAMETERS)))
    properties = HYPERPARAMETERS[algorithm]["properties"]
    given = {name: data.draw(_value(schema)) for name, schema in properties.items()}
    parameters = {
        "dataset": "d",
        "target": "t",
        "model": "m",
        "algorithm": algorithm,
        "hyperparameters": given,
    }
    texts = request_schema.texts_of_request("ml_training", {"parameters": parameters})
    read = request_schema.body_of("ml_training", texts)["parameters"]
    assert check_parameters("ml_training", read) == []
    defaults = {name: schema["default"] for name, schema in properties.items()}
    assert {**defaults, **read.get("hyperparameters", {})} == {**defaults, **given}


@pytest.mark.parametrize("job_type", job_type_names())
def test_every_parameter_has_a_field_with_a_label(job_type: str) -> None:
    fields = _fields(job_type, {})
    for name in SPECS[job_type].parameters["properties"]:
        field = fields[f"parameters.{name}"]
        assert field.title
        assert field.required == (name in SPECS[job_type].parameters["required"])


def test_the_fields_of_a_training() -> None:
    fields = _fields(
        "ml_training",
        {
            "parameters.target": ["rides"],
            "parameters.algorithm": ["random_forest"],
            "parameters.seed": ["42"],
        },
    )
    kinds = {
        name.removeprefix("parameters."): field.kind
        for name, field in fields.items()
        if name.startswith("parameters.")
    }
    assert kinds == {
        "dataset": Kind.SELECT,
        "version": Kind.TEXT,
        "target": Kind.SELECT,
        "features": Kind.PICKS,
        "exclude": Kind.PICKS,
        "model": Kind.TEXT,
        "task": Kind.RADIOS,
        "algorithm": Kind.RADIOS,
        "hyperparameters": Kind.GROUP,
        "hyperparameters.n_estimators": Kind.TEXT,
        "hyperparameters.max_depth": Kind.TEXT,
        "hyperparameters.min_samples_leaf": Kind.TEXT,
        "hyperparameters.max_features": Kind.SELECT,
        "rare_classes": Kind.RADIOS,
        "split": Kind.RADIOS,
        "time_column": Kind.SELECT,
        "test_size": Kind.TEXT,
        "seed": Kind.TEXT,
    }
    assert fields["parameters.version"].placeholder == "newest, currently 3"
    assert (fields["parameters.test_size"].value, fields["parameters.test_size"].mode) == (
        "0.25",
        "decimal",
    )
    assert (
        fields["parameters.seed"].value,
        fields["parameters.seed"].mode,
        fields["parameters.seed"].advanced,
    ) == ("42", "numeric", True)
    assert fields["parameters.hyperparameters.n_estimators"].value == "100"
    assert [one.value for one in fields["parameters.task"].choices if one.chosen] == [""]
    assert {one.value: one.off for one in fields["parameters.features"].choices} == {
        "rides": "is the target",
        "hour": "",
        "photo": "has a type that models cannot use",
    }
    assert [name for name, field in fields.items() if field.leads] == [
        "parameters.dataset",
        "parameters.target",
        "parameters.algorithm",
    ]


def test_a_list_that_may_be_empty_can_be_said_to_be() -> None:
    choices = _fields("ml_inference", {"parameters.keys": [""]})["parameters.keys"].choices
    assert [(one.value, one.chosen) for one in choices] == [
        ("", True),
        ("rides", False),
        ("hour", False),
        ("photo", False),
    ]
    assert [one.value for one in _fields("ml_training", {})["parameters.features"].choices] == [
        "rides",
        "hour",
        "photo",
    ]


def test_what_was_given_and_is_not_on_offer_stays_chosen() -> None:
    texts = {
        "parameters.dataset": ["gone"],
        "parameters.features": ["hour", "lost"],
        "parameters.properties.wheels": ["hour"],
    }
    fields = _fields("ml_training", texts)
    assert [one.value for one in fields["parameters.dataset"].choices if one.chosen] == ["gone"]
    assert [one.value for one in fields["parameters.features"].choices if one.chosen] == [
        "hour",
        "lost",
    ]
    twin = _fields("digital_twin_update", texts)
    assert [field.key for field in twin["parameters.properties"].fields] == [
        "bikes",
        "docks",
        "wheels",
    ]


def test_where_nothing_is_known_names_are_typed_and_where_nothing_is_there_the_field_says_so() -> (
    None
):
    unknown = Offers({}, {}, columns=None, types=None, properties=None)
    fields = _fields("ml_training", {"parameters.features": ["a", "b"]}, unknown)
    assert fields["parameters.dataset"].kind is Kind.TEXT
    assert fields["parameters.target"].kind is Kind.TEXT
    assert (
        fields["parameters.features.lines"].kind,
        fields["parameters.features.lines"].value,
    ) == (
        Kind.AREA,
        "a\nb",
    )
    assert _fields("ml_inference", {})["parameters.model"].lacks == "model"
    assert _fields("ml_inference", {})["parameters.dataset"].lacks == ""
    early = Offers({}, {}, columns=(), types=(), properties=())
    assert [
        one.label for one in _fields("ml_training", {}, early)["parameters.target"].choices
    ] == ["Choose the dataset first"]


def test_more_columns_than_one_can_tick_are_written() -> None:
    many = Offers(
        {},
        {},
        columns=[
            {"name": f"c{number}", "type": "DOUBLE"} for number in range(schema_form.PICKED_MAX + 1)
        ],
    )
    assert _fields("ml_training", {}, many)["parameters.features.lines"].kind is Kind.AREA


def test_a_message_stands_at_the_field_of_its_path_or_the_nearest_above() -> None:
    names = [
        "parameters",
        "parameters.features",
        "parameters.keys.lines",
        "parameters.hyperparameters",
        "parameters.hyperparameters.C",
        "name",
    ]
    at = {
        path: schema_form.field_at(path, names)
        for path in (
            "parameters.features[12]",
            "parameters.keys[0]",
            "parameters.hyperparameters.C",
        )
    }
    assert list(at.values()) == [
        "parameters.features",
        "parameters.keys.lines",
        "parameters.hyperparameters.C",
    ]
    assert (
        schema_form.field_at("parameters.hyperparameters.depth", names)
        == "parameters.hyperparameters"
    )
    assert schema_form.field_at("parameters.unknown", names) == "parameters"
    assert schema_form.field_at("Idempotency-Key", names) is None


def test_a_fold_says_what_it_hides() -> None:
    texts = {
        "parameters.algorithm": ["random_forest"],
        "parameters.hyperparameters.n_estimators": ["800"],
        "timeout_seconds": ["60"],
    }
    fields = _fields(
        "ml_training", texts, errors={"parameters.hyperparameters.max_depth": "Too deep."}
    )
    folded = [fields[f"parameters.{name}"] for name in ("hyperparameters", "test_size", "seed")]
    assert (
        schema_form.summary(folded)
        == "Hyperparameters: n_estimators 800 · Held-out fraction: 0.25 · Seed: 0"
    )
    assert [field.opened for field in folded] == [True, False, False]
    common = [fields[name] for name in ("priority", "timeout_seconds", "max_attempts", "labels")]
    assert (
        schema_form.summary(common)
        == "Priority: default · Time limit: 60 seconds · Attempts: default · Labels: none"
    )


def test_a_patch_changes_the_form_and_marks_what_differs() -> None:
    job: dict[str, Any] = {
        "type": "pipeline_execution",
        "name": "nightly",
        "parameters": {"pipeline": "p"},
        "resources": {"cpu": "1", "memory": "256Mi", "gpu": 0},
        "priority": "normal",
        "timeout_seconds": 60,
        "max_attempts": 1,
        "labels": {},
    }
    texts = request_schema.texts_of_job(job)
    patched, changed = request_schema.patched(
        job["type"], texts, '{"resources": {"memory": "512Mi"}}'
    )
    assert (patched["resources.memory"], patched["resources.cpu"], changed) == (
        ["512Mi"],
        ["1"],
        {"resources.memory"},
    )
    assert request_schema.patched(job["type"], texts, '{"resources": {}}') == (
        texts,
        {"resources.cpu", "resources.memory"},
    )
    for nonsense in ("", "{", "[]", '{"resources": 3}', '{"parameters": "x"}', '{"unknown": 1}'):
        assert request_schema.patched(job["type"], texts, nonsense)[0]["resources.memory"] == [
            "256Mi"
        ]


def test_the_defaults_of_the_previous_algorithm_are_not_sent() -> None:
    form = {
        "parameters.algorithm": ["random_forest"],
        "parameters.hyperparameters.min_samples_leaf": ["20"],
    }
    assert request_schema.settled("ml_training", form, "hist_gradient_boosting") == {
        "parameters.algorithm": ["random_forest"]
    }
    assert request_schema.settled("ml_training", form, "random_forest") == form
    typed = {**form, "parameters.hyperparameters.min_samples_leaf": ["21"]}
    assert request_schema.settled("ml_training", typed, "hist_gradient_boosting") == typed


def test_the_request_as_curl_can_be_pasted_into_a_shell() -> None:
    shown = request_schema.curl("http://h/api/", {"name": "it's \u202e mine"})
    assert shown.startswith("curl -X POST http://h/api/ \\\n")
    assert shown.endswith("""-d '{\n  "name": "it'\\''s \\u202e mine"\n}'""")


def test_each_message_of_a_refusal_stands_at_its_field() -> None:
    detail = {
        "parameters.model": "has to be a name",
        "parameters.test_size": "has to be less",
        "resources.memory": "is none",
        "odd": "is odd",
    }
    errors, general = refusals(
        "ml_training", {}, ApiError(400, "invalid", "The job cannot be accepted.", detail)
    )
    assert {name: errors.get(name) for name in detail if name != "odd"} == {
        "parameters.model": "Has to be a name.",
        "parameters.test_size": "Has to be less.",
        "resources.memory": "Is none.",
    }
    assert general == ["odd: is odd"]


@pytest.mark.parametrize("typed", ["21,5", " -0,25 "])
def test_a_number_with_a_decimal_comma_is_refused_with_the_point_to_use(typed: str) -> None:
    texts = {"parameters.test_size": [typed], "parameters.hyperparameters.learning_rate": [typed]}
    error = ApiError(400, "invalid", "", dict.fromkeys(texts, "has to be a number"))
    errors, general = refusals("ml_training", texts, error)
    assert set(errors.values()) == {f"Use a point: {typed.strip().replace(',', '.')}"}
    assert (len(errors), general) == (2, [])


def test_the_automatic_choice_is_called_so_and_a_default_is_shown() -> None:
    fields = _fields("ml_training", {"parameters.algorithm": ["random_forest"]})
    chosen = {
        name: next(one.label for one in fields[f"parameters.{name}"].choices if one.chosen)
        for name in ("task", "rare_classes", "split")
    }
    assert chosen == {"task": "Automatic", "rare_classes": "Automatic", "split": "random"}
    split = fields["parameters.hyperparameters.max_features"]
    assert (
        next(one.label for one in split.choices if one.chosen)
        == "Automatic: sqrt for classification, all for regression"
    )


def test_columns_can_be_excluded_but_for_the_target() -> None:
    choices = _fields(
        "ml_training", {"parameters.target": ["rides"], "parameters.exclude": ["photo"]}
    )["parameters.exclude"].choices
    assert [(one.value, one.chosen, one.off) for one in choices] == [
        ("rides", False, "is the target"),
        ("hour", False, ""),
        ("photo", True, ""),
    ]


ONE_TYPE = {"types": [{"name": "station", "key": {"name": "Station_Id"}, "properties": []}]}
TWIN_TEXTS = {"parameters.twin": ["s"], "parameters.dataset": ["d"]}
ROWS = {
    "results": [
        {
            "name": "d",
            "version": {
                "number": 1,
                "schema": [
                    {"name": "station_id", "type": "BIGINT"},
                    {"name": "at", "type": "DATE"},
                ],
            },
        }
    ]
}


@pytest.mark.parametrize(
    ("types", "texts", "type_", "key"),
    [
        (1, {}, "station", "station_id"),
        (1, {"parameters.key": ["at"]}, "station", "at"),
        (2, {}, "", ""),
        (2, {"parameters.type": ["station"]}, "station", "station_id"),
    ],
)
def test_the_only_entity_type_of_a_twin_and_its_key_are_preselected(
    types: int, texts: dict[str, list[str]], type_: str, key: str
) -> None:
    definition = {
        "types": [*ONE_TYPE["types"], {"name": "other", "key": {"name": "x"}, "properties": []}][
            :types
        ]
    }
    found = preselected(
        "digital_twin_update",
        {**TWIN_TEXTS, **texts},
        {"definition": {"definition": definition}, "dataset": ROWS},
    )
    assert (
        schema_form.given(found, "parameters.type"),
        schema_form.given(found, "parameters.key"),
    ) == (type_, key)
