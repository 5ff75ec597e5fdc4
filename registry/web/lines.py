"""Registered models as lists show them: with the newest version, the aliases, and a few of its figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from registry.models import Metric, Ref, RegisteredModel, Version

FIGURES = 3  # of the newest version, in a line
ALIASES = 6


@dataclass(slots=True)
class Line:
    """One model; `latest` is the head of its default branch."""

    model: RegisteredModel
    latest: Version | None
    aliases: list[Ref]
    more_aliases: int
    metrics: list[Metric] = field(default_factory=list)


def model_lines(models: Iterable[RegisteredModel], *, metrics: int = FIGURES) -> list[Line]:
    """Return the lines of models that were read `with_heads`; their figures take two queries."""
    lines = [_line(model) for model in models]
    by_version = {line.latest.pk: line for line in lines if line.latest}
    if metrics and by_version:
        for metric in Metric.objects.first_of(by_version, metrics).order_by("name"):
            by_version[metric.version_id].metrics.append(metric)
    return lines


def _line(model: RegisteredModel) -> Line:
    heads: list[Ref] = model.heads  # type: ignore[attr-defined]
    for ref in heads:
        ref.version.model = model
    latest = next((ref.version for ref in heads if ref.kind == Ref.Kind.BRANCH), None)
    aliases = [ref for ref in heads if ref.kind == Ref.Kind.ALIAS]
    return Line(model, latest, aliases[:ALIASES], max(len(aliases) - ALIASES, 0))
