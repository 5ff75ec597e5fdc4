"""The settings of a registered model: what it is, its name, how long it keeps versions, and the way into the trash."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from registry.models import Ref, RegisteredModel, RetentionRule
from registry.permissions import Action
from registry.services import registered_models, retention, trash
from registry.web.forms.settings import ModelForm, RenameForm, RetentionForm, SureForm
from registry.web.pages import act, attempt, show
from registry.web.places import ModelPlace, actor_of, model_at

MOST_BRANCHES = 1000  # offered as the default one
SHOWN = 20  # versions of those that a rule would delete


@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """All settings; the form at the top changes description, kind and default branch."""
    place = model_at(request, project, model, action=Action.EDIT_MODEL)
    if request.method != "POST":
        return _page(place)
    return _changed(place, "editing", ModelForm(request.POST, branches=_branches(place.model)), "Saved.")


@require_POST
def rename(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model, action=Action.EDIT_MODEL)
    return _changed(place, "renaming", RenameForm(request.POST), f"Renamed. {place.model} keeps leading here.")


@require_POST
def delete(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """Put the model into the trash, when its name was typed."""
    place = model_at(request, project, model, action=Action.TRASH)
    row = place.model
    form = SureForm(request.POST, expected=row.name)
    if not form.is_valid() or not attempt(form, lambda said: trash.delete(actor=actor_of(request), row=row)):
        return _page(place, deleting=form, status=400)
    days = settings.TRASH_LIFETIME.days
    messages.success(request, f"{row} is in the trash. It can be taken back for {days} days, here.")
    return redirect("web:project-trash", place.project.name)


# --- How long it keeps versions


@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """Look at what a rule would delete (GET, with the rule in the query), or set it."""
    place = model_at(request, project, model, action=Action.SET_RETENTION)
    if request.method == "POST":
        return _set_rule(place, RetentionForm(request.POST))
    form = RetentionForm(request.GET)
    if not form.is_valid():
        return _page(place, keeping=form, status=400)
    said = RetentionRule(model=place.model, **form.cleaned_data)
    found = retention.preview(said)
    some = retention.expendable(said).order_by("-number")[:SHOWN] if found.versions else []
    hidden = RetentionForm(form.cleaned_data)
    return show(
        request, "retention", place, tab="settings", twin=_twin(place), rule=said, found=found, some=some, form=hidden
    )


@require_POST
def drop_rule(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model, action=Action.SET_RETENTION)

    def work() -> None:
        retention.delete_rule(actor=actor_of(request), model=place.model)

    done, then = "The rule is gone: all versions are kept.", _address(place.model)
    return act(request, work, done=done, then=then, gone=RetentionRule.DoesNotExist)


def _set_rule(place: ModelPlace, form: RetentionForm) -> HttpResponse:
    model = place.model

    def work(said: dict[str, Any]) -> None:
        retention.set_rule(actor=actor_of(place.request), model=model, **said)

    if not form.is_valid() or not attempt(form, work):
        return _page(place, keeping=form, status=400)
    messages.success(place.request, "The rule is set. The next run of collect_garbage applies it.")
    return redirect(_address(model))


# --- What they have in common


def _address(model: RegisteredModel) -> str:
    return reverse("web:model-settings", args=[model.project.name, model.name])


def _twin(place: ModelPlace) -> str:
    return f"{place.twin}retention/"


def _branches(model: RegisteredModel) -> list[str]:
    refs = Ref.objects.filter(model=model, kind=Ref.Kind.BRANCH).order_by("name")
    names = list(refs.values_list("name", flat=True)[:MOST_BRANCHES])
    return names if model.default_branch in names else [model.default_branch, *names]


def _changed(place: ModelPlace, name: str, form: Form, done: str) -> HttpResponse:
    changed: list[RegisteredModel] = []

    def work(said: dict[str, Any]) -> None:
        changed.append(registered_models.update_model(actor=actor_of(place.request), model=place.model, **said))

    if not form.is_valid() or not attempt(form, work):
        place.model.refresh_from_db()
        return _page(place, status=400, **{name: form})
    messages.success(place.request, done)
    return redirect(_address(changed[0]))


def _page(place: ModelPlace, *, status: int = 200, **forms: Form) -> HttpResponse:
    model = place.model
    rule = RetentionRule.objects.filter(model=model).select_related("set_by").first()
    about = {"description": model.description, "kind": model.kind, "default_branch": model.default_branch}
    given: dict[str, Any] = {
        "editing": ModelForm(initial=about, branches=_branches(model)),
        "renaming": RenameForm(initial={"name": model.name}),
        "keeping": RetentionForm(initial={"keep_last": rule.keep_last, "keep_days": rule.keep_days} if rule else {}),
        "deleting": SureForm(expected=model.name),
    }
    facts: dict[str, Any] = {"rule": rule, "days": settings.TRASH_LIFETIME.days} | given | forms
    return show(place.request, "model_settings", place, tab="settings", status=status, **facts)
