"""What the registry's viewsets share: finding the project, model and version of an address, and answering in pages."""

from __future__ import annotations

import copy
from typing import Any

from django.http import Http404, QueryDict
from rest_framework import serializers, viewsets
from rest_framework.authentication import SessionAuthentication
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.parsers import BoundedJSON
from lmvp.numerals import whole_number
from registry import trees
from registry.api.pagination import NumberedPages
from registry.errors import Invalid
from registry.models import Project, RegisteredModel, Tree, Version
from registry.models.addresses import version_shown_at
from registry.services.projects import find_project
from registry.services.registered_models import find_model


class SessionByHeader(SessionAuthentication):
    """A web session whose CSRF token is in the header X-CSRFToken: to look for it in a form would read the files."""

    def enforce_csrf(self, request: Request) -> None:
        without_body = copy.copy(request._request)
        without_body._post = QueryDict()
        super().enforce_csrf(without_body)


class Room(viewsets.GenericViewSet[Any]):
    """A viewset under /v1/: takes JSON, and reads its place from the address."""

    parser_classes: Any = [BoundedJSON, FormParser]
    queryset = Project.objects.none()
    serializer_class = serializers.Serializer
    swagger_fake_view = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any("\0" in str(said) for said in (*self.kwargs.values(), *request.query_params.values())):
            raise Http404  # nothing is called so, and PostgreSQL would not look it up

    def project(self) -> Project:
        return find_project(actor=self.request.user, name=self.kwargs["project"])

    def model(self) -> RegisteredModel:
        return find_model(actor=self.request.user, project=self.kwargs["project"], name=self.kwargs["model"])

    def version(self) -> Version:
        """Return the version of the address."""
        model = self.model()
        return model.versions.filter(trashed_at=None).at(model, self.kwargs["revision"])

    def file(self, version: Version, path: str) -> trees.Entry:
        """Return the file at a path of a version; Tree.DoesNotExist for a directory, and for nothing."""
        entry = trees.find(Tree.objects.content_of, version.tree_id, path)
        if entry is None or entry.is_directory:
            raise Tree.DoesNotExist
        return entry

    def count(self, name: str, *, default: int, most: int) -> int:
        """Return a whole number of the query, from 0 to `most`."""
        said = self.request.query_params.get(name, "")
        number = whole_number(said) if said else default
        if number is None or number > most:
            raise Invalid("invalid", f"{name}: A whole number from 0 to {most:,}.")
        return number

    def shown_version(self) -> Version:
        """Return the version of the address, as VersionSerializer shows it."""
        model = self.model()
        return version_shown_at(model, self.kwargs["revision"])

    def read(self, serializer: type[serializers.Serializer[Any]], **options: Any) -> serializers.Serializer[Any]:
        """Return the body, checked by a serializer."""
        checked = serializer(data=self.request.data, context=self.get_serializer_context(), **options)
        checked.is_valid(raise_exception=True)
        return checked

    def show(self, serializer: type[serializers.Serializer[Any]], instance: Any, status: int = 200) -> Response:
        return Response(serializer(instance, context=self.get_serializer_context()).data, status=status)

    def pages(self, serializer: type[serializers.Serializer[Any]], rows: Any, paginator: Any = None) -> Response:
        """Answer one page of rows: a queryset, a list, or with `Onward` a walk."""
        paginator = paginator or NumberedPages()
        page = paginator.paginate_queryset(rows, self.request, view=self)
        return paginator.get_paginated_response(serializer(page, many=True, context=self.get_serializer_context()).data)
