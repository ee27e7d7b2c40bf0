"""The types of validated request bodies have the fields of their serializers."""

from typing import Any

import pytest
from rest_framework import serializers

from mimir.lib.reading.options import ReadOptionsBody
from projects.datasets import shapes as datasets
from projects.datasets import upload_shapes as uploads
from projects.members import shapes as members
from projects.pipelines import shapes as pipelines
from projects.project import shapes as projects
from projects.tokens import shapes as tokens
from projects.twins import shapes as twins
from projects.users import shapes as users
from projects.users.write import UserChanges
from tests.support.typed_dicts import faults, hints_of

PAIRS: list[tuple[Any, type[serializers.Serializer[Any]]]] = [
    (members.RoleFields, members.MemberRequest),
    (members.MemberFields, members.MemberAddRequest),
    (projects.ProjectFields, projects.ProjectRequest),
    (projects.ProjectChanges, projects.ProjectChange),
    (tokens.SignInFields, tokens.SessionRequest),
    (tokens.PasswordFields, tokens.PasswordRequest),
    (tokens.TokenFields, tokens.TokenRequest),
    (users.UserFields, users.UserRequest),
    (UserChanges, users.UserChange),
    (users.PasswordLinkFields, users.PasswordLinkRequest),
    (pipelines.PipelineFields, pipelines.PipelineRequest),
    (pipelines.DefinitionFields, pipelines.DefinitionRequest),
    (twins.TwinFields, twins.TwinRequest),
    (twins.DefinitionFields, twins.TwinDefinitionRequest),
    (twins.DefinitionChange, twins.TwinDefinitionChange),
    (twins.OverlayFields, twins.OverlayRequest),
    (datasets.DatasetChanges, datasets.DatasetChange),
    (ReadOptionsBody, uploads.ReadOptionsShape),
    (uploads.StageFields, uploads.StageRequest),
    (uploads.UploadFields, uploads.UploadRequest),
    (uploads.UploadChanges, uploads.UploadChange),
    (uploads.AcceptFields, uploads.UploadAccept),
    (uploads.SheetFields, uploads.SheetDatasetRequest),
    (uploads.AcceptSheetsFields, uploads.UploadAcceptSheets),
]


@pytest.mark.parametrize(("checked", "serializer"), PAIRS, ids=lambda each: each.__name__)
def test_checked_fields_are_those_of_the_serializer(
    checked: Any, serializer: type[serializers.Serializer[Any]]
) -> None:
    hints, fields = hints_of(checked), serializer().fields
    assert set(hints) == set(fields)
    assert checked.__required_keys__ == {
        name
        for name, field in fields.items()
        if field.required or field.default is not serializers.empty
    }
    for name, field in fields.items():
        nullable = not faults(None, hints[name])
        assert nullable == bool(field.allow_null), name
