"""Bodies of models. Output serializers are the OpenAPI document's; `shapes.py` builds the dicts."""

from typing import Any

from rest_framework import serializers

_Any = serializers.Serializer[Any]


class VersionRef(_Any):
    name = serializers.CharField()
    version = serializers.IntegerField()


class ModelVersionShape(_Any):
    number = serializers.IntegerField()
    task = serializers.CharField(help_text="regression or classification")
    algorithm = serializers.CharField()
    target = serializers.CharField()
    metrics = serializers.DictField(
        child=serializers.FloatField(allow_null=True), help_text="On the held-out part."
    )
    baseline = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        help_text="The same metrics of a trivial model.",
    )
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    training_data = VersionRef(help_text="The dataset version it learnt from.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    job = serializers.UUIDField(
        allow_null=True, help_text="The job that trained it; null when that job is kept no longer."
    )


class Importance(_Any):
    feature = serializers.CharField()
    value = serializers.FloatField()


class ModelVersionDetail(ModelVersionShape):
    name = serializers.CharField()
    hyperparameters = serializers.DictField(help_text="As in scikit-learn.")
    signature = serializers.DictField(
        help_text='{"features": [{"name", "kind", "type"}], "target": {"name", "type"}, "task", "classes"?}'
    )
    plots = serializers.DictField(
        help_text="As data. Regression: predicted_actual, residuals. Classification: confusion, roc, precision_recall, calibration."
    )
    training = serializers.DictField(help_text="Rows, split, seed, seconds.")
    libraries = serializers.DictField(
        child=serializers.CharField(), help_text="Versions of what trained it."
    )
    importance = Importance(many=True, help_text="How much each feature matters, most first.")


class ModelShape(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    version = ModelVersionShape(help_text="The newest one.")


class ModelVersions(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    versions = ModelVersionShape(many=True)
    next = serializers.CharField(allow_null=True)
