"""What an address names, asked for by nearly every request: the model of a project, and the version of a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmvp.prepared import prepared
from registry.models.versions import NUMBER, Ref, RegisteredModel, Version

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from registry.models.projects import Actor


def model_at(actor: Actor, project: str, name: str) -> RegisteredModel | None:
    """Return the live model of these very names with its project, and as `role` the actor's own there; whoever may see it."""
    return next(iter(_model(actor.pk, project, name)), None)


def version_shown_at(model: RegisteredModel, revision: str) -> Version:
    """Return what a revision names that is not in the trash, with its figures; raises what Version.objects.at does."""
    number = NUMBER.fullmatch(revision)
    if number:
        found = _numbered(model.pk, int(number[1]))
    elif revision == "latest":
        found = _named(model.pk, model.default_branch, Ref.Kind.BRANCH)
    else:
        found = _named(model.pk, revision, None)
    version = found[0] if found else Version.objects.filter(trashed_at=None).with_figures().at(model, revision)
    version.model = model
    return version


@prepared
def _model(user: int | None, project: str, name: str) -> QuerySet[RegisteredModel]:
    models = RegisteredModel.objects.select_related("project").with_role_of(user)
    return models.filter(project__name=project, trashed_at=None).called(name).order_by()


@prepared
def _numbered(model: int, number: int) -> QuerySet[Version]:
    return Version.objects.filter(model=model, number=number, trashed_at=None).with_figures().order_by()


@prepared
def _named(model: int, name: str, kind: Ref.Kind | None) -> QuerySet[Version]:
    refs = Ref.objects.filter(model=model, name=name, **({"kind": kind} if kind else {})).order_by()
    named = refs.values("version")[:1]  # asked first: a join would have SQLite look at every version
    return Version.objects.filter(pk=named, trashed_at=None).with_figures().order_by()
