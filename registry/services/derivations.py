"""The versions of other models that a version is made from: named by its publisher, and pinned before it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist

from accounts.models import User
from registry.errors import Invalid
from registry.models import RegisteredModel, Version
from registry.services.registered_models import find_model

MOST_SOURCES = 100
NAMED = re.compile(r"([a-z0-9-]{1,39})/([A-Za-z0-9._-]{1,96})@([A-Za-z0-9._-]{1,100})")


def find_sources(*, actor: User, model: RegisteredModel, named: Iterable[str]) -> Sequence[Version]:
    """Return the versions that `project/model@revision` names, each once, in order.

    Raises Invalid: unknown_source for what is not there, not clear, or not for the actor to see; invalid_source for the
    model's own versions, which are parents, and for too many.
    """
    names = list(named)
    if len(names) > MOST_SOURCES:
        raise _invalid(f"A version names at most {MOST_SOURCES} others that it was made from.", names[MOST_SOURCES])
    found: dict[int, Version] = {}
    for name in names:
        source = _find(actor, name)
        if source.model_id == model.pk:
            raise _invalid(
                f"“{name}” is a version of this model itself. What it was made from here is its parent: publish on that"
                " branch, or name it as `parent`.",
                name,
            )
        found.setdefault(source.pk, source)
    return list(found.values())


def sources_of(version: Version) -> list[Version]:
    """Return what a version is made from, in order."""
    return [derivation.source for derivation in version.derivations.select_related("source")]


def refuse_deleted(sources: Sequence[Version]) -> None:
    """Raise Invalid when one of them was deleted since it was found."""
    if not sources:
        return
    keys = [source.pk for source in sources]
    gone = Version.objects.filter(pk__in=keys).exclude(trashed_at=None).select_related("model__project").first()
    if gone:
        raise Invalid("unknown_source", f"{gone} was deleted meanwhile. Name another version, or have it taken back.")


def _find(actor: User, name: str) -> Version:
    said = NAMED.fullmatch(name)
    try:
        if said is None:
            raise Version.DoesNotExist
        model = find_model(actor=actor, project=said[1], name=said[2])
        return Version.objects.filter(trashed_at=None).at(model, said[3])
    except (ObjectDoesNotExist, MultipleObjectsReturned):
        raise Invalid(
            "unknown_source",
            f"“{name[:300]}” names no version that you may see. Write project/model@revision; a revision is 3 or v3, a"
            " branch, tag or alias, latest, or a digest.",
            fields={"derived_from": [name[:300]]},
        ) from None


def _invalid(message: str, name: str) -> Invalid:
    return Invalid("invalid_source", message, fields={"derived_from": [name[:300]]})
