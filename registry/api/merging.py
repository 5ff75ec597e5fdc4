"""The call that merges a revision into a branch."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import Input
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.lineage import WholeVersionSerializer
from registry.api.parsers import LongJSON
from registry.api.rooms import Room
from registry.api.serializers import LimitedText
from registry.permissions import Action, require
from registry.services.merging import Outcome, merge

MERGED = doc.VERSION | {
    "parents": [{"number": 2, "digest": doc.DIGEST}, {"number": 1, "digest": doc.DIGEST}],
    "message": "Merge wider into main",
    "merge": "merged",
}


class MergeInput(Input):
    source = serializers.CharField(max_length=100, help_text="What comes in: 3, v3, latest, a name, a digest.")
    target = serializers.CharField(max_length=100, help_text="The branch that it goes onto.")
    message = LimitedText(required=False, default="", help_text="“Merge … into …” when left out.")
    resolve = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="For each path in conflict: source or target."
    )
    expected = serializers.CharField(
        required=False, allow_null=True, max_length=100, help_text="The branch's head, as you believe; 409 otherwise."
    )


class MergeViewSet(Room):
    parser_classes = [LongJSON]

    @documented(
        "Merge a revision into a branch",
        name="merge",
        tag="versions",
        body=MergeInput,
        example={"source": "wider", "target": "main", "resolve": {"weights.npz": "source"}},
        answer=(
            201,
            "The new version with two parents. 200 when there is none: the branch moved on (`fast_forward`), or stands on"
            " the source already (`up_to_date`).",
            MERGED,
        ),
        errors=(400, 401, 403, 404, 409),
    )
    def create(self, request: Request, project: str, model: str) -> Response:
        there = self.model()
        require(request.user, Action.PUBLISH, there.project)
        version, outcome = merge(actor=request.user, model=there, **self.read(MergeInput).validated_data)
        self.kwargs["revision"] = str(version.number)
        answer = self.show(WholeVersionSerializer, self.shown_version(), 201 if outcome is Outcome.MERGED else 200)
        answer.data["merge"] = outcome.value
        return answer
