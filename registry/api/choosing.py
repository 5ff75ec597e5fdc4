"""Which versions a request asks for: the parameters as the schema tells of them, and the paginator for what was chosen."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from registry import choosing
from registry.api import documentation as doc
from registry.api.pagination import Onward, VersionPages
from registry.models import RegisteredModel
from registry.models.numbered import Numbered

CHOOSING = [
    doc.query("branch", "Only the line of this branch: its head, and the first parents of that."),
    doc.query("author", "Only those of this user."),
    doc.query("metric:{name}__{lt}", "Only those whose metric is so: lt, lte, gt, gte, eq (or nothing), ne."),
]


def chosen_versions(said: QueryDict, model: RegisteredModel) -> tuple[Any, Any]:
    """Return what a list of versions goes through, rows or a walk, and the paginator for it."""
    order = said.get("order_by") or "-number"
    if order in choosing.BY_NUMBER and not choosing.narrows(said):
        return Numbered(model), VersionPages(choosing.BY_NUMBER[order])
    chosen = choosing.chosen_versions(said, model)
    return chosen.rows, VersionPages(chosen.ordering) if chosen.ordering else Onward()
