"""What the pages' templates write over and over: icons, sizes, times, figures, people, names of versions."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

from django import template
from django.template.defaultfilters import date
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from accounts.models import User
from registry.headers.numpy import in_words
from registry.models import Project, RegisteredModel, Version
from registry.sizes import readable

register = template.Library()

ICONS = "vendor/octicons-19.42.0/icons.svg"
REF_ICONS = {"branch": "git-branch", "tag": "tag", "alias": "rocket"}
KIND_ICONS = {
    RegisteredModel.Kind.MODEL: "package",
    RegisteredModel.Kind.DATASET: "database",
    RegisteredModel.Kind.CONFIG: "sliders",
}
AVATARS = 6  # colours, in the style sheet
NAMES = 200  # that a list offers to choose from


@register.simple_tag
def icon(name: str) -> SafeString:
    """Write one of the vendored icons; it says nothing to a screen reader, words beside it do."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static(ICONS), name)


@register.simple_tag
def ref_icon(kind: str) -> SafeString:
    return icon(REF_ICONS[kind])


@register.simple_tag
def kind_icon(kind: str) -> SafeString:
    return icon(KIND_ICONS[RegisteredModel.Kind(kind)])


@register.filter
def size(count: int) -> str:
    """Write bytes as people read them: 1.4 MiB."""
    return readable(count)


@register.filter
def figure(value: Any) -> str:
    """Write the value of a metric or a parameter: numbers with six digits, whole ones with all, texts as they are."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@register.filter
def when(moment: datetime) -> SafeString:
    """Write a time as “3 hours ago”, or its day when it is long ago, with the whole of it as a title."""
    age = timezone.now() - moment
    near = f"{timesince(moment, depth=1)} ago" if age.total_seconds() >= 60 else "just now"
    said = near if age.days < 30 else date(moment, "j M Y")
    stamp = moment.isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', stamp, date(moment, "Y-m-d H:i"), said)


@register.simple_tag
def avatar(username: str) -> SafeString:
    """Write a person's initial in a colour of their own; the name stands beside it."""
    colour = zlib.crc32(username.encode()) % AVATARS
    return format_html('<span class="avatar a{}" aria-hidden="true">{}</span>', colour, username[:1])


@register.simple_tag
def person(username: str) -> SafeString:
    return format_html('<span class="person">{}{}</span>', avatar(username), username)


@register.simple_tag
def joined_projects(user: User) -> list[str]:
    """Return the names of the projects that somebody is a member of, for a list to choose from; not of very many."""
    joined = Project.objects.visible_to(user).filter(memberships__user=user).order_by("name")
    return list(joined.values_list("name", flat=True)[:NAMES])


@register.simple_tag
def version_link(version: Version, model: RegisteredModel | None = None) -> SafeString:
    """Write v3, leading to its page; `model` where the version's own was not loaded."""
    if model is not None:
        version.model = model
    return format_html('<a class="nowrap" href="{}">v{}</a>', version.get_absolute_url(), version.number)


@register.simple_tag
def ref_badge(kind: str, name: str, address: str = "") -> SafeString:
    """Write the name of a branch, tag or alias in the colour of its kind."""
    if not address:
        return format_html('<span class="badge {}" title="{}">{}{}</span>', kind, kind, ref_icon(kind), name)
    return format_html('<a class="badge {}" title="{}" href="{}">{}{}</a>', kind, kind, address, ref_icon(kind), name)


@register.filter
def dtype(name: str) -> str:
    """Write the type of a tensor as people call it; the JSON keeps the file's own spelling."""
    return in_words(name)


@register.filter
def short(digest: str) -> str:
    """Write the beginning of a digest, enough to name a version by."""
    return digest[:10]


@register.filter
def item(mapping: dict[Any, Any], key: Any) -> Any:
    """Look a key up that a template cannot write with a dot."""
    return mapping.get(key)
