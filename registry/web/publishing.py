"""The page that publishes a version: files dropped in, sent by a script that can go on after a broken line, or in one form."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from lmvp.numerals import whole_number
from registry import connections
from registry.arriving import ArrivedFile, HashingUploadHandler, read_form
from registry.models import Ref, Version
from registry.permissions import Action
from registry.services import room
from registry.services.versions import File, Publication, publish_version
from registry.web.forms.publishing import PublicationForm
from registry.web.pages import attempt, show
from registry.web.places import ModelPlace, actor_of, model_at

NAMES_SUGGESTED = 200


@csrf_exempt  # until the form is read: the check would have Django read the files, and keep them in its own way
@require_http_methods(["GET", "HEAD", "POST"])
def publish(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """Take files, a message, metrics and metadata, and publish them as a version."""
    arriving = HashingUploadHandler(request)
    try:
        if request.method == "POST":
            place = model_at(request, project, model, action=Action.PUBLISH)  # before a byte of strangers is kept
            size = whole_number(request.META.get("CONTENT_LENGTH") or "") or 0
            room.require_for_body(actor=actor_of(request), project=place.project, size=size)
            connections.release()
            read_form(request, arriving)
        return _publish(request, project, model)
    finally:
        arriving.discard()


@csrf_protect
def _publish(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model, action=Action.PUBLISH)  # anew: somebody may have been taken out meanwhile
    given = {"branch": request.GET.get("branch") or place.model.default_branch, "key": secrets.token_urlsafe(16)}
    form = PublicationForm(request.POST if request.method == "POST" else None, initial=given)
    if request.method == "POST" and form.is_valid():
        published: list[Version] = []
        if attempt(form, lambda said: published.append(_published(request, place, said))):
            version = published[0]
            messages.success(request, f"Published as version {version.number}.")
            return redirect("web:version", place.project.name, place.model.name, str(version.number))
    return show(
        request, "publish", place, tab="publish", form=form, status=400 if form.errors else 200, **_facts(place)
    )


def _published(request: HttpRequest, place: ModelPlace, said: dict[str, Any]) -> Version:
    files: list[ArrivedFile] = [file for file in request.FILES.getlist("files") if isinstance(file, ArrivedFile)]
    names = [File(file.name or "", file.incoming.sha256) for file in files]
    listed, key = said.pop("listed"), said.pop("key")
    about: dict[str, Any] = said | {name: said[name] or None for name in ("alias", "tag")}
    publication = Publication(files=[*listed, *names], idempotency_key=key, **about)
    version, _ = publish_version(
        actor=actor_of(request),
        model=place.model,
        publication=publication,
        arrived=[file.incoming for file in files],
    )
    return version


def _facts(place: ModelPlace) -> dict[str, Any]:
    refs = Ref.objects.filter(model=place.model, kind__in=[Ref.Kind.BRANCH, Ref.Kind.ALIAS])
    names = list(refs.order_by("-updated_at").values_list("kind", "name")[:NAMES_SUGGESTED])
    return {
        "branches": [name for kind, name in names if kind == Ref.Kind.BRANCH],
        "aliases": [name for kind, name in names if kind == Ref.Kind.ALIAS],
        "uploads": place.twin + "uploads/",
        "twin": place.twin + "versions/",
    }
