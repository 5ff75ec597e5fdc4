"""Numbers and texts logged about versions: added once, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from lmvp.inserting import insert
from registry.digests import is_finite_number
from registry.errors import Conflict, Invalid
from registry.models import Metric, Version
from registry.permissions import Action, require
from registry.services import events

MOST_VALUES = 10_000  # in one call
MOST_NAMES = 10_000  # of one version
LARGEST_STEP = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Measured:
    """One value to log: a finite number or a text, with a step where it belongs to a series."""

    name: str
    value: float | str
    step: int | None = None

    def row(self, version: Version, author: User) -> Metric:
        number, text = (None, self.value) if isinstance(self.value, str) else (float(self.value), None)
        return Metric(
            version=version,
            model_id=version.model_id,
            name=self.name,
            step=self.step,
            value=number,
            text=text,
            author=author,
        )


def log_metrics(*, actor: User, version: Version, measured: Sequence[Measured]) -> int:
    """Add values to a published version; return how many are new. The same value again is success.

    Raises Conflict (metric_exists) for another value under the same name and step; nothing is added then.
    """
    require(actor, Action.LOG_METRICS, version.model.project)
    check(measured)
    with transaction.atomic():
        Version.objects.select_for_update(no_key=True).get(pk=version.pk, trashed_at=None)
        added = add(actor=actor, version=version, measured=measured)
        if added:
            events.record(
                actor=actor,
                action="metrics.logged",
                project=version.model.project,
                subject=str(version),
                after={"names": sorted({value.name for value in measured})[:50], "values": added},
            )
    return added


def check(measured: Sequence[Measured]) -> None:
    """Refuse values that cannot be kept or compared."""
    if len(measured) > MOST_VALUES:
        raise Invalid("too_many_metrics", f"Log at most {MOST_VALUES:,} values in one call; send the rest in another.")
    for one in measured:
        if not one.name.strip() or len(one.name) > 200:
            raise Invalid("invalid_metric", "A metric's name has 1 to 200 characters.")
        if isinstance(one.value, str):
            if len(one.value) > 1000:
                raise Invalid("invalid_metric", f"The text of “{one.name}” is longer than 1,000 characters.")
        elif not is_finite_number(one.value):
            raise Invalid(
                "not_finite", f"“{one.name}” is not a finite number. Leave NaN and infinity out, or log them as a text."
            )
        if one.step is not None and abs(one.step) > LARGEST_STEP:
            raise Invalid("invalid_metric", f"The step of “{one.name}” does not fit into 64 bits.")


def add(*, actor: User, version: Version, measured: Iterable[Measured], first: bool = False) -> int:
    """Insert the values of a version whose row is locked or new, in the caller's transaction; return how many are new.

    `first`: nothing has been logged to it yet.
    """
    rows: dict[tuple[str, int | None], Metric] = {}
    for one in measured:
        row = one.row(version, actor)
        _same_or_conflict(rows.setdefault((row.name, row.step), row), row)
    known = _known(version, rows) if rows and not first else {}
    for key in rows.keys() & known.keys():
        _same_or_conflict(known[key], rows.pop(key))
    marked = [row for row in known.values() if row.latest]
    fresh = {row.name for row in rows.values()} - {row.name for row in marked}
    _refuse_too_many_names(fresh, there=0 if first or not fresh else version.metrics.filter(latest=True).count())
    _mark_latest(rows.values(), marked)
    insert(*rows.values())
    return len(rows)


def _known(version: Version, keys: Iterable[tuple[str, int | None]]) -> dict[tuple[str, int | None], Metric]:
    """Return the rows that matter for these names and steps: those themselves, and the one that stands for its name."""
    steps: dict[str, list[int]] = {}
    for name, step in keys:
        steps.setdefault(name, []).extend([] if step is None else [step])
    rows = list(Metric.objects.filter(Q(latest=True) | Q(step=None), version=version, name__in=steps))
    for name, wanted in steps.items():
        for start in range(0, len(wanted), 500):
            rows += Metric.objects.filter(version=version, name=name, step__in=wanted[start : start + 500])
    return {(row.name, row.step): row for row in rows}


def _refuse_too_many_names(fresh: set[str], *, there: int) -> None:
    """Keep what is shown of a version bounded. One row per name is marked: to count them is to count the names."""
    if len(fresh) + there > MOST_NAMES:
        raise Invalid(
            "too_many_metrics",
            f"A version has metrics of at most {MOST_NAMES:,} names. Use steps for a series, a file for more.",
        )


def _same_or_conflict(there: Metric, row: Metric) -> None:
    if (there.value, there.text) != (row.value, row.text):
        step = "" if row.step is None else f" at step {row.step}"
        raise Conflict(
            "metric_exists",
            f"“{row.name}”{step} is {there.shown} already, and what was logged does not change."
            " Log it under another name or step, or to a new version.",
            fields={"name": row.name, "step": row.step},
        )


def _mark_latest(rows: Iterable[Metric], marked: list[Metric]) -> None:
    """Keep one row per name marked: the one without a step, else the one with the largest."""
    best = {row.name: row for row in marked}
    for row in rows:
        if row.name not in best or _rank(row) > _rank(best[row.name]):
            best[row.name] = row
    outdated = [row.pk for row in marked if best[row.name] is not row]
    if outdated:
        Metric.objects.filter(pk__in=outdated).update(latest=False)
    for row in best.values():
        row.latest = True


def _rank(row: Metric) -> tuple[bool, int]:
    return row.step is None, row.step or 0
