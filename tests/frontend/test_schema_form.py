"""Fields of a schema: kinds, labels, choices, messages and summaries."""

import pytest

from jobs.types.registry import SPECS, job_type_names
from mimir.frontend import schema_form
from mimir.frontend.schema_form import Kind, Offers
from tests.frontend.schema_form_fields import fields_of


@pytest.mark.parametrize("job_type", job_type_names())
def test_every_parameter_has_a_field_with_a_label(job_type: str) -> None:
    fields = fields_of(job_type, {})
    for name in SPECS[job_type].parameters["properties"]:
        field = fields[f"parameters.{name}"]
        assert field.title
        assert field.required == (name in SPECS[job_type].parameters["required"])


TRAINING_KINDS = {
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


def test_the_fields_of_a_training() -> None:
    fields = fields_of(
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
    assert kinds == TRAINING_KINDS
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


def test_a_list_can_be_set_to_empty_if_that_is_allowed() -> None:
    choices = fields_of("ml_inference", {"parameters.keys": [""]})["parameters.keys"].choices
    assert [(one.value, one.chosen) for one in choices] == [
        ("", True),
        ("rides", False),
        ("hour", False),
        ("photo", False),
    ]
    assert [one.value for one in fields_of("ml_training", {})["parameters.features"].choices] == [
        "rides",
        "hour",
        "photo",
    ]


def test_a_given_value_that_is_not_offered_stays_selected() -> None:
    texts = {
        "parameters.dataset": ["gone"],
        "parameters.features": ["hour", "lost"],
        "parameters.properties.wheels": ["hour"],
    }
    fields = fields_of("ml_training", texts)
    assert [one.value for one in fields["parameters.dataset"].choices if one.chosen] == ["gone"]
    assert [one.value for one in fields["parameters.features"].choices if one.chosen] == [
        "hour",
        "lost",
    ]
    twin = fields_of("digital_twin_update", texts)
    assert [field.key for field in twin["parameters.properties"].fields] == [
        "bikes",
        "docks",
        "wheels",
    ]


def test_names_are_typed_if_choices_are_unknown_and_an_empty_choice_is_reported() -> None:
    unknown = Offers({}, {}, columns=None, types=None, properties=None)
    fields = fields_of("ml_training", {"parameters.features": ["a", "b"]}, unknown)
    assert fields["parameters.dataset"].kind is Kind.TEXT
    assert fields["parameters.target"].kind is Kind.TEXT
    assert (
        fields["parameters.features.lines"].kind,
        fields["parameters.features.lines"].value,
    ) == (
        Kind.AREA,
        "a\nb",
    )
    assert fields_of("ml_inference", {})["parameters.model"].lacks == "model"
    assert fields_of("ml_inference", {})["parameters.dataset"].lacks == ""
    early = Offers({}, {}, columns=(), types=(), properties=())
    assert [
        one.label for one in fields_of("ml_training", {}, early)["parameters.target"].choices
    ] == ["Choose the dataset first"]


def test_too_many_columns_for_checkboxes_are_typed() -> None:
    many = Offers(
        {},
        {},
        columns=[
            {"name": f"c{number}", "type": "DOUBLE"} for number in range(schema_form.PICKED_MAX + 1)
        ],
    )
    assert fields_of("ml_training", {}, many)["parameters.features.lines"].kind is Kind.AREA


def test_a_message_is_shown_at_the_field_of_its_path_or_the_nearest_parent() -> None:
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


def test_a_collapsed_group_names_its_content() -> None:
    texts = {
        "parameters.algorithm": ["random_forest"],
        "parameters.hyperparameters.n_estimators": ["800"],
        "timeout_seconds": ["60"],
    }
    fields = fields_of(
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


def test_the_automatic_choice_is_labelled_and_a_default_is_shown() -> None:
    fields = fields_of("ml_training", {"parameters.algorithm": ["random_forest"]})
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


def test_columns_except_the_target_can_be_excluded() -> None:
    choices = fields_of(
        "ml_training", {"parameters.target": ["rides"], "parameters.exclude": ["photo"]}
    )["parameters.exclude"].choices
    assert [(one.value, one.chosen, one.off) for one in choices] == [
        ("rides", False, "is the target"),
        ("hour", False, ""),
        ("photo", True, ""),
    ]
