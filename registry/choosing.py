"""Which versions of a model a query asks for, in which order: `branch`, `author`, `metric:loss__lt=0.2`, `order_by`.

The same words in the addresses of the API and of the pages; how a list is cut into pages is each door's own matter.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from django.http import QueryDict

from accounts.models import User
from registry.errors import Invalid
from registry.models import Ref, RegisteredModel, Version
from registry.models.metrics import Condition
from registry.models.versions import VersionQuerySet
from registry.models.walks import ByMetric, Choice, DownBranch

METRIC = "metric:"
OPERATORS = ("lt", "lte", "gt", "gte", "eq", "ne")
DECIMAL = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?")
MOST_CONDITIONS = 10
NOBODY = 0  # no user has this id
# Numbers are given in the order of time, and a clock that was set back does not disturb them.
BY_NUMBER = {"number": "number", "-number": "-number", "created_at": "number", "-created_at": "-number"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a list of versions goes through: rows and the column that orders them, or a walk, which has its own order."""

    rows: VersionQuerySet | ByMetric | DownBranch
    ordering: str = ""


def chosen_versions(said: QueryDict, model: RegisteredModel, *, also: tuple[str, ...] = ()) -> Chosen:
    """Return what a query asks for; Invalid for what cannot be asked, Ref.DoesNotExist when there is no such branch."""
    order = said.get("order_by") or "-number"
    choice, head = choice_of(said, model, also=also), head_of(said, model)
    if order.removeprefix("-").startswith(METRIC):
        name = metric_name(order.removeprefix("-").removeprefix(METRIC), "invalid_order")
        return Chosen(ByMetric(choice, name, order.startswith("-"), head))
    if order not in BY_NUMBER:
        raise Invalid(
            "invalid_order", "`order_by` is number, created_at or metric:NAME, with a - before it to turn it."
        )
    ordering = BY_NUMBER[order]
    if head and ordering == "-number":
        return Chosen(DownBranch(choice, head))
    few = choice.few() if choice.conditions else None
    rows = choice.rows(few).with_figures()
    if few is not None:
        rows = rows.select_related("model__project")
    return Chosen(rows.on_line_of(head) if head else rows, ordering)


def narrows(said: QueryDict) -> bool:
    """Whether a query may leave versions out, or is refused for trying to."""
    return bool(said.get("branch") or said.get("author")) or any(name.startswith("metric") for name in said)


def head_of(said: QueryDict, model: RegisteredModel) -> Version | None:
    """Return the head of the branch that the list is about; Ref.DoesNotExist when there is no such branch."""
    branch = said.get("branch")
    if not branch:
        return None
    return Ref.objects.select_related("version").get(model=model, kind=Ref.Kind.BRANCH, name=branch).version


def choice_of(said: QueryDict, model: RegisteredModel, *, also: tuple[str, ...] = ()) -> Choice:
    """Return the chosen versions. Parameters that begin with `metric` and are none, `also` aside, are refused."""
    conditions = [condition for _, _, condition in conditions_of(said, also=also)]
    if len(conditions) > MOST_CONDITIONS:
        raise Invalid("invalid_filter", f"A list is filtered by at most {MOST_CONDITIONS} metrics.")
    return Choice(model, _author(said.get("author")), tuple(conditions))


def conditions_of(said: QueryDict, *, also: tuple[str, ...] = ()) -> list[tuple[str, str, Condition]]:
    """Return the conditions on metrics that a query makes, each with the parameter and the value that say it."""
    said_so = [(name, value) for name in said if _is_condition(name, also) for value in said.getlist(name)]
    return [(name, value, _condition(name, value)) for name, value in said_so]


def metric_name(name: str, code: str) -> str:
    """Return the name of a metric; Invalid where no metric can be called so."""
    if not name.strip() or len(name) > 200 or "\0" in name:
        raise Invalid(code, "A metric's name has 1 to 200 characters: metric:accuracy.")
    return name


def _author(username: str | None) -> int | None:
    if not username:
        return None
    return User.objects.filter(username=username).values_list("pk", flat=True).first() or NOBODY


def _is_condition(name: str, also: tuple[str, ...]) -> bool:
    if name.startswith("metric") and name not in also and not name.startswith(METRIC):
        raise Invalid("invalid_filter", f"“{name[:50]}” is no filter. Write metric:NAME__lt=0.2, with the colon.")
    return name.startswith(METRIC)


def _condition(said: str, value: str) -> Condition:
    name, operator = _name_and_operator(said.removeprefix(METRIC))
    operand = _operand(value)
    if isinstance(operand, str) and operator not in ("eq", "ne"):
        raise Invalid("invalid_filter", f"“{value[:50]}” is no finite number, and texts have no order: use eq or ne.")
    return Condition(metric_name(name, "invalid_filter"), operator, operand)


def _name_and_operator(said: str) -> tuple[str, str]:
    """Divide at the last `__`. A name that has one itself needs an operator behind it, so that a slip is no other name."""
    name, mark, operator = said.rpartition("__")
    if not mark:
        return said, "eq"
    if operator not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise Invalid(
            "invalid_filter",
            f"“{operator[:50]}” is none of {known}. When it belongs to the metric's name, add __eq behind it.",
        )
    return name, operator


def _operand(value: str) -> float | str:
    number = float(value) if DECIMAL.fullmatch(value) else math.nan
    if math.isfinite(number):
        return number
    if len(value) > 1000:
        raise Invalid("invalid_filter", "A metric's text has at most 1,000 characters.")
    return value
