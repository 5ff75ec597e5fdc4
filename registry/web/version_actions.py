"""What is done with a version by a button or a form of its page: one service each, then back to where it shows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from registry.models import Ref, Version
from registry.permissions import Action
from registry.services import deprecation, metrics, refs, restoring, trash
from registry.services.metrics import Measured
from registry.services.refs import Move
from registry.web.forms.versions import (
    AliasForm,
    BranchForm,
    DeletionForm,
    DeprecationForm,
    MetricForm,
    RestoreForm,
    TagForm,
)
from registry.web.pages import act, attempt
from registry.web.places import VersionPlace, actor_of, model_at, version_at
from registry.web.versions import page_of

Said = dict[str, Any]
Doing = Callable[[VersionPlace], HttpResponse]


def _for(action: Action) -> Callable[[Doing], Callable[..., HttpResponse]]:
    """Make a view of what is done: by POST, by those who may. Whoever comes by GET (after signing in) sees the version."""

    def made(doing: Doing) -> Callable[..., HttpResponse]:
        @functools.wraps(doing)
        def view(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
            if request.method != "POST":
                return redirect("web:version", project, model, revision)
            return doing(version_at(request, project, model, revision, action=action))

        return view

    return made


def _tried(place: VersionPlace, form: Form, work: Callable[[Said], Any], done: str) -> HttpResponse:
    """Do it and go on, or show the version again with what is wrong in the form. `done` is filled from what was said."""
    version = place.version
    if form.is_valid() and attempt(form, work):
        messages.success(place.request, done.format(**form.cleaned_data, number=version.number))
        return redirect(version)
    return page_of(place, failed=form)


@_for(Action.MOVE_REF)
def tag(place: VersionPlace) -> HttpResponse:
    work = functools.partial(_name, place, Ref.Kind.TAG)
    return _tried(place, TagForm(place.request.POST), work, "The tag “{name}” names v{number}.")


@_for(Action.MOVE_REF)
def branch(place: VersionPlace) -> HttpResponse:
    work = functools.partial(_name, place, Ref.Kind.BRANCH)
    return _tried(place, BranchForm(place.request.POST), work, "The branch “{name}” begins at v{number}.")


def _name(place: VersionPlace, kind: str, said: Said) -> None:
    model, version = place.model, place.version
    move = Move(kind, said["name"], str(version.number))
    refs.create_ref(actor=actor_of(place.request), model=model, move=move)


@_for(Action.MOVE_REF)
def alias(place: VersionPlace) -> HttpResponse:
    model, version = place.model, place.version

    def work(said: Said) -> None:
        name, number = said["alias"] if any(said["alias"]) else (said["name"], None)
        said["name"] = name
        active = {"yes": True, "no": False}.get(said["active"])
        move = Move(Ref.Kind.ALIAS, name, str(version.number), said["comment"], expected=number, active=active)
        refs.set_ref(actor=actor_of(place.request), model=model, move=move)

    return _tried(place, AliasForm(place.request.POST), work, "The alias “{name}” names v{number} now.")


@_for(Action.PUBLISH)
def restore(place: VersionPlace) -> HttpResponse:
    model, old, form = place.model, place.version, RestoreForm(place.request.POST)
    made: list[tuple[Version, bool]] = []

    def work(said: Said) -> None:
        (branch, number), message = said["branch"], said["message"]
        about = {"revision": str(old.number), "branch": branch, "message": message, "expected": number}
        made.append(restoring.restore_to_branch(actor=actor_of(place.request), model=model, **about))

    if not (form.is_valid() and attempt(form, work)):
        return page_of(place, failed=form)
    (version, fresh), name = made[0], form.cleaned_data["branch"][0]
    version.model = model
    same = f"“{name}” has the files and the metadata of v{old.number} already, in v{version.number}."
    messages.success(place.request, f"v{version.number} on “{name}” is as v{old.number} was." if fresh else same)
    return redirect(version)


@_for(Action.LOG_METRICS)
def log_metric(place: VersionPlace) -> HttpResponse:
    def work(said: Said) -> None:
        measured = [Measured(said["name"], said["value"], said["step"])]
        metrics.log_metrics(actor=actor_of(place.request), version=place.version, measured=measured)

    return _tried(place, MetricForm(place.request.POST), work, "“{name}” is logged: {value}.")


@_for(Action.DEPRECATE)
def deprecate(place: VersionPlace) -> HttpResponse:
    """Say why a version should not be used any more; with `take_back` in the form, that it may."""
    if "take_back" in place.request.POST:
        version = place.version
        done = f"v{version.number} is not deprecated any more."
        then = version.get_absolute_url()
        return act(place.request, functools.partial(_deprecate, place, None), done=done, then=then)
    form = DeprecationForm(place.request.POST)
    return _tried(place, form, lambda said: _deprecate(place, said["reason"]), "v{number} is deprecated.")


def _deprecate(place: VersionPlace, reason: str | None) -> None:
    deprecation.deprecate_version(actor=actor_of(place.request), version=place.version, reason=reason)


@_for(Action.TRASH)
def delete(place: VersionPlace) -> HttpResponse:
    def work(_: Said) -> None:
        trash.delete(actor=actor_of(place.request), row=place.version)

    done = "v{number} is in the trash. Take it back here, as long as it is there."
    return _tried(place, DeletionForm(place.request.POST), work, done)


def take_back(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    """Take a version back from the trash."""
    if request.method != "POST":
        return redirect("web:version", project, model, revision)
    model_at(request, project, model, action=Action.TRASH)
    row = trash.find_deleted(actor=request.user, project=project, model=model, revision=revision)
    assert isinstance(row, Version)
    work = functools.partial(trash.undelete, actor=actor_of(request), row=row)
    return act(request, work, done=f"v{row.number} is back.", then=row.get_absolute_url())
