"""The call that goes back to an old version: as a new version on a branch, or by moving an alias."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.lineage import WholeVersionSerializer
from registry.api.naming import AliasSerializer, GuardInput
from registry.api.rooms import Room
from registry.api.serializers import LimitedText
from registry.errors import Invalid
from registry.models import RegisteredModel
from registry.permissions import Action, require
from registry.services.restoring import restore_to_alias, restore_to_branch
from registry.services.versions import MOST_MESSAGE_CHARACTERS


class RestorationInput(GuardInput):
    branch = serializers.CharField(required=False, max_length=100, help_text="Gets a new version with the old files …")
    alias = serializers.CharField(required=False, max_length=100, help_text="… or this is moved to the old version.")
    message = LimitedText(
        required=False, default="", max_length=MOST_MESSAGE_CHARACTERS, help_text="“Restore version N” when left out."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("branch" in attrs) == ("alias" in attrs):
            raise Invalid(
                "branch_or_alias",
                "Name a `branch` (it gets a new version with the old files) or an `alias` (it is moved): one of the two.",
            )
        return attrs


class RestorationViewSet(Room):
    @documented(
        "Restore a version: its files as a new version on a branch, or an alias moved to it",
        name="versions_restore",
        tag="versions",
        body=RestorationInput,
        example={"branch": "main", "message": "Back to what worked"},
        answer=(201, "The new version; 200 with the head that has the same files already, or the alias.", doc.VERSION),
        errors=(400, 401, 403, 404, 409),
    )
    def create(self, request: Request, project: str, model: str, revision: str) -> Response:
        there = self.model()
        require(request.user, Action.PUBLISH, there.project)
        said = self.read(RestorationInput).validated_data
        if "alias" in said:
            return self._alias(there, said)
        return self._branch(there, said)

    def _branch(self, model: RegisteredModel, said: dict[str, Any]) -> Response:
        message = said.pop("message") or said["comment"]
        del said["comment"]
        version, new = restore_to_branch(
            actor=self.request.user, model=model, revision=self.kwargs["revision"], message=message, **said
        )
        self.kwargs["revision"] = str(version.number)
        return self.show(WholeVersionSerializer, self.shown_version(), 201 if new else 200)

    def _alias(self, model: RegisteredModel, said: dict[str, Any]) -> Response:
        comment = said.pop("comment") or said["message"][:1000]
        del said["message"]
        ref, new = restore_to_alias(
            actor=self.request.user, model=model, revision=self.kwargs["revision"], comment=comment, **said
        )
        return self.show(AliasSerializer, ref, 201 if new else 200)
