"""Viewsets that take files in forms: hashed on their way to the disk, and discarded in the end unless they were kept."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from accounts.api.parsers import BoundedJSON
from accounts.authentication import BearerAuthentication
from registry.api.parsers import WholeForm, announced_length
from registry.api.rooms import Room, SessionByHeader
from registry.arriving import HashingUploadHandler
from registry.models import Project
from registry.services import room


class FormRoom(Room):
    """Its actions named in `receiving` may be called with a form; what came is in `arriving`."""

    authentication_classes = [BearerAuthentication, SessionByHeader]
    parser_classes = [BoundedJSON, WholeForm]
    receiving: frozenset[str] = frozenset({"create"})

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.arriving = HashingUploadHandler(request)
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:  # also when the caller was refused: checking a form's CSRF token has read its files
            self.arriving.discard()

    def require_room(self, request: Request, project: Project | None = None) -> None:
        """Refuse a form that has no room, before its files come; which project it is for may stand in the form."""
        if str(request.content_type).startswith("multipart/"):
            size = announced_length(request._request) or 0
            room.require_for_body(actor=request.user, project=project, size=size)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        # Before anything reads the body: files of a form are hashed on their way to the disk.
        if self.action_map.get(request.method.lower()) in self.receiving:
            request.upload_handlers = [self.arriving]
        return super().initialize_request(request, *args, **kwargs)
