"""The calls about a model's retention rule, which always answer what it would put into the trash now."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import Input
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.models import RetentionRule
from registry.models.retention import MOST_DAYS, MOST_VERSIONS
from registry.permissions import Action, require
from registry.services import retention

RULE = {
    "keep_last": 10,
    "keep_days": 90,
    "set_by": "ada",
    "set_at": doc.TIME,
    "would_trash": {"versions": 31, "bytes": 571392},
}


class RetentionInput(Input):
    keep_last = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_VERSIONS, help_text="Keep the newest so many."
    )
    keep_days = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_DAYS, help_text="Keep what is younger (days)."
    )


class RetentionSerializer(serializers.ModelSerializer[RetentionRule]):
    set_by = serializers.CharField(source="set_by.username")
    would_trash = serializers.SerializerMethodField(
        help_text="By a run now; bytes shared with other versions included."
    )

    class Meta:
        model = RetentionRule
        fields = ["keep_last", "keep_days", "set_by", "set_at", "would_trash"]

    def get_would_trash(self, rule: RetentionRule) -> dict[str, Any]:
        found = retention.preview(rule)
        return {"versions": found.versions, "bytes": found.bytes}


class RetentionViewSet(Room):
    @documented(
        "Show a model's retention rule, and what it would delete now",
        name="retention_read",
        tag="trash",
        answer=(200, "The rule.", RULE),
        errors=(401, 403, 404),
    )
    def retrieve(self, request: Request, project: str, model: str) -> Response:
        return self.show(RetentionSerializer, retention.find_rule(actor=request.user, model=self.model()))

    @documented(
        "Set a model's retention rule",
        name="retention_set",
        tag="trash",
        body=RetentionInput,
        example={"keep_last": 10, "keep_days": 90},
        answer=(200, "The rule, and what it would delete now. The next run of collect_garbage applies it.", RULE),
        errors=(400, 401, 403, 404),
    )
    def update(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.SET_RETENTION, there.project)
        said = {"keep_last": None, "keep_days": None} | self.read(RetentionInput).validated_data
        return self.show(RetentionSerializer, retention.set_rule(actor=request.user, model=there, **said))

    @documented(
        "Take a model's retention rule away: all versions are kept",
        name="retention_delete",
        tag="trash",
        answer=(204, "Done.", None),
        errors=(401, 403, 404),
    )
    def destroy(self, request: Request, project: str, model: str) -> Response:
        retention.delete_rule(actor=request.user, model=self.model())
        return Response(status=204)
