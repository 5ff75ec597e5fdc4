"""Hierarchies: the names of the levels of a project's artifact trees. Made once; their labels do not change."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import IntegrityError, transaction

from accounts.models import User
from registry.errors import Conflict, Invalid
from registry.models import Hierarchy, Project
from registry.permissions import Action, require
from registry.services import events

DEFAULT = "default"
MOST_CHARACTERS = 100
MOST_LABELS = 50


def create_hierarchy(*, actor: User, project: Project, name: str, level_labels: Mapping[str, str]) -> Hierarchy:
    """Make a hierarchy; `level_labels` are {"0": "experiment", "1": "model", …}, without a gap; none at all: any depth.

    Raises Invalid (invalid_name, reserved_name, invalid_level_labels), Conflict (name_taken).
    """
    require(actor, Action.RECORD_LINEAGE, project)
    _check_name(name)
    labels = _checked(level_labels)
    try:
        with transaction.atomic():
            return _insert(actor, project, name, labels)
    except IntegrityError:
        raise Conflict("name_taken", f"{project.name} has a hierarchy “{name}” already. Choose another name.") from None


def default_hierarchy(*, actor: User, project: Project) -> Hierarchy:
    """Return the project's hierarchy without labels, making it where it is not there yet. Its caller has checked the right."""
    found = Hierarchy.objects.filter(project=project, name=DEFAULT).first()
    if found:
        return found
    try:
        with transaction.atomic():
            return _insert(actor, project, DEFAULT, {})
    except IntegrityError:  # somebody else just made it
        return Hierarchy.objects.get(project=project, name=DEFAULT)


def lock(hierarchy: Hierarchy) -> Hierarchy:
    """Return the hierarchy's row, locked until the transaction ends: all changes of its trees are one after the other.

    DoesNotExist when its project was deleted meanwhile: nothing is recorded into what is in the trash.
    """
    rows = Hierarchy.objects.select_related("project").select_for_update(no_key=True, of=("self",))
    return rows.get(pk=hierarchy.pk, project__trashed_at=None)


def _insert(actor: User, project: Project, name: str, labels: dict[str, str]) -> Hierarchy:
    made = Hierarchy.objects.create(project=project, name=name, level_labels=labels)
    events.record(
        actor=actor,
        action="hierarchy.created",
        project=project,
        subject=f"{project.name}: {name}",
        after={"level_labels": labels},
    )
    return made


def _check_name(name: str) -> None:
    if not _is_label(name):
        raise Invalid("invalid_name", f"A hierarchy's name has 1 to {MOST_CHARACTERS} characters, none of control.")
    if name == DEFAULT:
        raise Invalid("reserved_name", "The hierarchy “default” has no labels, and is made when it is needed.")


def _checked(level_labels: Mapping[str, str]) -> dict[str, str]:
    levels = [str(level) for level in range(len(level_labels))]
    if len(levels) > MOST_LABELS or set(levels) != set(level_labels):
        raise Invalid(
            "invalid_level_labels",
            f'Levels are counted from 0 without a gap, {MOST_LABELS} at most: {{"0": "experiment", "1": "model"}}.',
        )
    labels = {level: level_labels[level] for level in levels}
    if not all(isinstance(label, str) and _is_label(label) for label in labels.values()):
        raise Invalid(
            "invalid_level_labels", f"A label is a text of 1 to {MOST_CHARACTERS} characters, none of control."
        )
    return labels


def _is_label(text: str) -> bool:
    return bool(text.strip()) and len(text) <= MOST_CHARACTERS and text.isprintable()
