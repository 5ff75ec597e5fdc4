"""What happened, as every member may see it: versions published, aliases and tags moved, the newest first.

Read from the models that changed last alone, so that it costs the same in a history of any length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from registry.models import Project, Ref, RefMove, RegisteredModel, Version

MOST = 20  # lines, and of so many models
AT_ONCE = timedelta(seconds=5)  # a name that comes with its version is told with it


@dataclass(slots=True)
class News:
    """Somebody published versions of a model (the newest first), with names, or moved a name."""

    actor: str
    at: datetime
    model: RegisteredModel
    versions: list[Version] = field(default_factory=list)
    moves: list[RefMove] = field(default_factory=list)


def news_of(projects: Iterable[Project]) -> list[News]:
    """Return the newest of these projects, in four queries however much there is."""
    live = RegisteredModel.objects.filter(project__in=[project.pk for project in projects], trashed_at=None)
    changed = list(live.filter(last_number__gt=0).newest_first()[:MOST])
    named = Ref.objects.filter(model__in=live.order_by(), kind__in=(Ref.Kind.ALIAS, Ref.Kind.TAG))
    moved = list(named.order_by("-updated_at", "-pk")[:MOST])
    published = Version.objects.newest_of(changed, MOST)[: 3 * MOST] if changed else []
    moves = RefMove.objects.newest_of(moved, MOST)[: 2 * MOST] if moved else []
    told = chain(
        (News(version.author_name, version.created_at, version.model, versions=[version]) for version in published),
        (News(move.actor.username, move.at, move.model, moves=[move]) for move in moves),
    )
    return gathered(sorted(told, key=lambda one: one.at, reverse=True))[:MOST]


def gathered(news: Iterable[News]) -> list[News]:
    """Tell in one line what somebody did in a row: versions of one model, and the names that came with them."""
    lines: list[News] = []
    for one in news:
        last = lines[-1] if lines else None
        if last is None or not _belongs(one, last):
            lines.append(one)
            continue
        last.versions += one.versions
        last.moves = one.moves + last.moves
    return lines


def _belongs(older: News, line: News) -> bool:
    if (older.actor, older.model.pk) != (line.actor, line.model.pk):
        return False
    if line.versions:
        return bool(older.versions) and not line.moves and not older.moves
    target = older.versions[0].pk if older.versions else older.moves[0].to_version_id
    return line.at - older.at < AT_ONCE and all(move.to_version_id == target for move in line.moves)
