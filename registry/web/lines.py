"""Registered models as lists show them: with the newest version, the aliases, and a few of its figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from registry.models import Metric, Ref, RegisteredModel, Version
from registry.models.histories import newest_measured

FIGURES = 3  # of the newest version, in a line
ALIASES = 6


@dataclass(slots=True)
class Line:
    """One model; `latest` is the head of its default branch, `measured` the version that the metrics are of.

    That is the latest, or where it has none the newest that has some.
    """

    model: RegisteredModel
    latest: Version | None
    aliases: list[Ref]
    more_aliases: int
    measured: Version | None = None
    metrics: list[Metric] = field(default_factory=list)


def model_lines(models: Iterable[RegisteredModel], *, metrics: int = FIGURES) -> list[Line]:
    """Return the lines of models that were read `with_heads`; their figures take two queries."""
    lines = [_line(model) for model in models]
    _measure(lines, metrics)
    return lines


def measured_lines(models: Iterable[RegisteredModel], *, metrics: int) -> list[Line]:
    """Return the lines of those that have metrics, if not in the latest version, then in the newest that has some."""
    lines = model_lines(models, metrics=metrics)
    without = {line.model.pk: line for line in lines if not line.metrics}
    newest = newest_measured(line.model for line in without.values())
    for model, version in newest.items():
        without[model].measured = version
    _measure([without[model] for model in newest], metrics)
    return [line for line in lines if line.metrics]


def _measure(lines: list[Line], most: int) -> None:
    by_version = {line.measured.pk: line for line in lines if line.measured}
    if most and by_version:
        for metric in Metric.objects.first_of(by_version, most).order_by("name"):
            by_version[metric.version_id].metrics.append(metric)


def _line(model: RegisteredModel) -> Line:
    heads: list[Ref] = model.heads  # type: ignore[attr-defined]
    for ref in heads:
        ref.version.model = model
    latest = next((ref.version for ref in heads if ref.kind == Ref.Kind.BRANCH), None)
    aliases = [ref for ref in heads if ref.kind == Ref.Kind.ALIAS]
    return Line(model, latest, aliases[:ALIASES], max(len(aliases) - ALIASES, 0), measured=latest)
