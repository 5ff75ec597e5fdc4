"""Lines of the audit log in templates: as sentences whose parts lead to the pages of what they name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse

from registry.models import Event
from registry.sentences import Part, Told, words_of

register = template.Library()

ICONS = {
    "project": "repo",
    "model": "package",
    "version": "git-commit",
    "metrics": "graph",
    "branch": "git-branch",
    "tag": "tag",
    "alias": "rocket",
    "member": "people",
    "invitation": "mail",
    "retention": "clock",
    "artifact": "workflow",
    "hierarchy": "workflow",
    "blob": "server",
}
VERBS = {"trashed": "trash", "purged": "trash", "deleted": "trash", "undeleted": "undo", "downloaded": "download"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event, ready to be shown: `parts` are texts with the addresses that they lead to, or none."""

    icon: str
    actor: str
    parts: list[tuple[str, str]]
    before: list[tuple[str, str]]
    after: list[tuple[str, str]]


@register.simple_tag
def line_of(event: Event) -> Line:
    """Word an event, which should come with its actor and project."""
    told = Told(
        action=event.action,
        subject=event.subject,
        actor=event.actor.username if event.actor else "",
        before=event.before or {},
        after=event.after or {},
    )
    project = event.project.name if event.project else ""
    noun, _, verb = event.action.partition(".")
    return Line(
        icon=VERBS.get(verb) or ICONS.get(noun, "key"),
        actor=told.actor,
        parts=[(part.text, _address(part, project)) for part in words_of(told)],
        before=_facts(told.before),
        after=_facts(told.after),
    )


def _address(part: Part, project: str) -> str:
    """Return where a part leads; nowhere, where what the log says is no address (any more)."""
    match part.thing, part.names:
        case "project", _:
            name, names = "project", []
        case "project-trash", _:
            name, names = "project-trash", []
        case "model", (model,):
            name, names = "model", [model]
        case "model-trash", (model,):
            name, names = "model-trash", [model]
        case "version", (model, number):
            name, names = "version", [model, number]
        case ("branch" | "tag" | "alias") as kind, (model, ref):
            name, names = "ref", [model, kind, ref]
        case "artifact", (artifact,):
            name, names = "artifact", [artifact]
        case "trash", _:
            return reverse("web:trash")
        case _:
            return ""
    try:
        return reverse(f"web:{name}", args=[project, *names]) if project else ""
    except NoReverseMatch:
        return ""


def _facts(said: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key.replace("_", " "), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in said.items()
    ]
