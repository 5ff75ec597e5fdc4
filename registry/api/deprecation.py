"""The call that deprecates a version, and the header that tells so to whoever downloads it."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.inputs import Input
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.lineage import WholeVersionSerializer
from registry.api.rooms import Room
from registry.api.serializers import LimitedText
from registry.models import Version
from registry.permissions import Action, require
from registry.services.deprecation import MOST_CHARACTERS, deprecate_version

# A header of our own: Warning (RFC 7234) is obsolete since RFC 9111, and Deprecation (RFC 9745) speaks of the API itself.
HEADER = "LMVP-Deprecated"
READABLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class DeprecationInput(Input):
    deprecated = LimitedText(
        allow_null=True, max_length=MOST_CHARACTERS, help_text="Why it should not be used any more; null takes it back."
    )


class VersionDeprecation(Room):
    """What the viewset of versions has besides."""

    @documented(
        "Deprecate a version, or take that back",
        name="versions_update",
        tag="versions",
        body=DeprecationInput,
        example={"deprecated": "It was trained on the wrong labels; use v4."},
        answer=(200, "The version.", doc.VERSION | {"deprecated": "It was trained on the wrong labels; use v4."}),
        errors=(400, 401, 403, 404),
    )
    def partial_update(self, request: Request, project: str, model: str, revision: str) -> Response:
        version = self.shown_version()
        require(request.user, Action.DEPRECATE, version.model.project)
        reason = self.read(DeprecationInput).validated_data["deprecated"]
        return self.show(WholeVersionSerializer, deprecate_version(actor=request.user, version=version, reason=reason))


def told(response: HttpResponseBase, version: Version) -> HttpResponseBase:
    """Return a download with the header that tells why its version is deprecated, if it is; percent-encoded UTF-8."""
    if version.deprecated:
        response[HEADER] = quote(version.deprecated, safe=READABLE)
    return response
